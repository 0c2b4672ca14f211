"""What the pages of wrong input share: a command typed in a process of its own, what its answer must be, the table."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 300  # seconds until a command counts as hanging


class Answer(NamedTuple):
    """Exit status, standard output and standard error of a command."""

    status: int
    out: str
    err: str


class Row(NamedTuple):
    """A row of a page: what is wrong, the words after `facegen`, the line printed, and its fault, if any."""

    wrong: str
    words: str
    line: str
    fault: str


def facegen_command(words: Sequence[str]) -> list[str]:
    """The command line of this Python's facegen."""
    return [sys.executable, "-m", "facegen", *words]


def typed(command: Sequence[str], folder: Path) -> Answer:
    """Run a command as a user would, in a process of its own."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return Answer(124, "", f"still running after {PATIENCE} s")
    return Answer(done.returncode, done.stdout, done.stderr)


def fault_of_refusal(answer: Answer, expected: str) -> str:
    """What is wrong with the answer to a mistake: it must be one line and exit status 2. Empty when nothing is.

    `expected`: words that the line must hold.
    """
    lines = [line for line in answer.err.replace("\r", "\n").splitlines() if line.strip()]
    answers = [line for line in lines if line.startswith("facegen: ")]
    if answer.status != 2:
        return f"exit status {answer.status}"
    if len(answers) != 1 or lines[-1] != answers[0]:
        return f"{len(answers)} lines of answer"
    if "Traceback" in answer.err:
        return "a traceback"
    return "" if expected in answers[0] else f"no {expected!r} in the answer"


def last_line(text: str) -> str:
    """What was printed last."""
    return (text.strip().splitlines() or [""])[-1]


def shown(row: Row) -> str:
    """A row in Markdown."""
    return f"| {row.wrong} | `facegen {row.words}` | `{row.line}` |".replace("||", "\\|\\|")


def report(row: Row) -> None:
    """One line for the terminal while a page is made."""
    print(f"{'FAULT ' + row.fault if row.fault else 'ok':<40} {row.wrong}: {row.line}", flush=True)


def out_argument(description: str, page: str) -> Path:
    """The page to write, as given on the command line of the program that makes it."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / page)
    return parser.parse_args().out


def write_page(path: Path, head: str, rows: Sequence[Row], faults: int) -> int:
    """Write a page whose answers are all as they should be; the exit status of the program that makes it."""
    if faults == 0:
        path.write_text(head.format(count=len(rows)) + "\n".join(map(shown, rows)) + "\n")
    print(f"{len(rows)} cases, {faults} faults" + ("" if faults else f"; written to {path}"))
    return 1 if faults else 0
