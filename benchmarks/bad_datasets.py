"""Damage samples of the published datasets, type commands on them, and write what was printed to docs/bad_datasets.md.

`python benchmarks/bad_datasets.py` makes each sample once, copies and damages it for every case, runs `facegen` there,
and checks status and line. `tests/cli/test_bad_datasets.py` runs the same cases.
"""

import os
import shlex
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import bad_annotations, bad_photographs, bad_recipes, typed_cases
from benchmarks.damage import MARK
from benchmarks.dataset_case import SAMPLES, Case
from benchmarks.typed_cases import Answer, Row, fault_of_refusal


def cases() -> list[Case]:
    """All cases."""
    return [*bad_photographs.cases(), *bad_annotations.cases(), *bad_recipes.cases()]


def make_samples(folder: Path) -> None:
    """Each sample in a folder of its own."""
    for name, sample in SAMPLES.items():
        sample.make(folder / name)


def prepare(case: Case, samples: Path, folder: Path) -> None:
    """Copy the sample of a case to a working directory that does not exist yet, and damage it."""
    shutil.copytree(samples / case.sample, folder)
    case.act(folder / SAMPLES[case.sample].home)


def line_of(case: Case, answer: Answer) -> str:
    """The line about the damage: the refusal, the summary of an index, or a row of a validation's table."""
    if case.status == 2:
        return typed_cases.last_line(answer.err)
    lines = [" ".join(line.split()) for line in answer.out.splitlines() if line.strip()]
    wanted = "problem" if case.status == 0 else case.line[0]
    return next((line for line in lines if wanted in line), lines[0] if lines else "")


def fault(case: Case, answer: Answer) -> str:
    """What is wrong with an answer; empty when it is as it should be."""
    if case.status == 2:
        return next(filter(None, (fault_of_refusal(answer, words) for words in case.line)), "")
    if answer.status != case.status:
        return f"exit status {answer.status}"
    if "Traceback" in answer.err:
        return "a traceback"
    line = line_of(case, answer)
    return next((f"no {words!r} in the line" for words in case.line if words not in line), "")


def row_of(case: Case, samples: Path, here: Path) -> tuple[Row, bool]:
    """Type a case in a working directory of its own; its row, and whether hostile content was executed."""
    prepare(case, samples, here)
    answer = typed_cases.typed(typed_cases.facegen_command(shlex.split(case.words)), here)
    row = Row(case.wrong, case.words, line_of(case, answer).replace(f"{here}/", ""), fault(case, answer))
    typed_cases.report(row)
    return row, (here / MARK).exists()


def main() -> int:
    out = typed_cases.out_argument(__doc__ or "", "bad_datasets.md")
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = Path(name).resolve()
        make_samples(folder / "samples")
        places = [folder / f"case{number}" for number in range(len(cases()))]
        done = list(pool.map(row_of, cases(), repeat(folder / "samples"), places))
    rows, executed = [row for row, _ in done], any(bad for _, bad in done)
    if executed:
        print("FAULT: hostile content was executed")
    return typed_cases.write_page(out, HEAD, rows, sum(bool(row.fault) for row in rows) + executed)


HEAD = """\
# Damaged datasets, and what is printed

{count} mistakes with published datasets and recipes, each typed on the command line. Made by `python
benchmarks/bad_datasets.py` on tiny samples in the layout of their authors; the tests run the same cases
(`tests/cli/test_bad_datasets.py`) and see that nothing hostile is executed and nothing hangs.

`facegen data index` writes the table of what can be read, ends with status 0, and names the problems in one line of its
summary. `facegen data validate` ends with status 1 and a table; its row is shown. Every other answer ends with status
2, and the command leaves nothing behind. A training run refuses only what it needs: broken coefficients stop no
generator that does not look at them.

| what is wrong | typed | printed |
|---|---|---|
"""

if __name__ == "__main__":
    sys.exit(main())
