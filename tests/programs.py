"""`facegen` in a process of its own that starts at once, because it is forked from one that has imported the libraries.

Such a process has its own memory, files, signals and exit status like one that a shell starts, which takes six seconds
of imports. What a test asks of starting itself belongs to `subprocess`.
"""

import multiprocessing
import os
import sys
import threading
import types
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from torch.multiprocessing.spawn import start_processes

_SERVER: Any = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["lightning.pytorch", "diffusers.models.unets.unet_2d", "facegen.cli.train", "facegen.models", "facegen.callbacks"]
)
_LONGEST = 900.0  # seconds until a program that nobody ended is killed
_MAIN = Path(__file__).parents[1] / "facegen/__main__.py"


def start(words: Sequence[str], log: Path, folder: Path | None = None, sabotage: str = "") -> BaseProcess:
    """`facegen <words>` in a process group of its own; what it prints goes to `log`. sabotage: Python to run before."""
    log.touch()
    where = str((folder or Path.cwd()).absolute())
    program = _SERVER.Process(target=_run, args=(list(words), str(log.absolute()), where, dict(os.environ), sabotage))
    program.start()
    watchdog = threading.Timer(_LONGEST, program.kill)
    watchdog.daemon = True
    watchdog.start()
    return program


def in_processes(worker: Callable[..., None], *arguments: Any, count: int = 2) -> None:
    """Call `worker(rank, *arguments)`, a function of a module, in as many processes at once; an error is raised."""
    start_processes(worker, args=arguments, nprocs=count, start_method="forkserver")


def _run(words: list[str], log: str, folder: str, environment: dict[str, str], sabotage: str) -> None:
    os.setpgid(0, 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = [str(_MAIN), *words]  # with which Lightning starts the other processes of a run
    sys.modules["__main__"] = types.ModuleType("__main__")
    exec(sabotage, vars(sys.modules["__main__"]))
    from facegen.cli import main

    sys.exit(main(words))
