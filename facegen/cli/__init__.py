"""The command line: `facegen COMMAND key=value ...`, one file per command, Hydra overrides everywhere."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from facegen import __version__
from facegen.cli.commands import Command, find, overview
from facegen.cli.errors import is_user_error, one_line

USER_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 2 after a user's mistake, 130 after Ctrl-C.

    `argv`: the words after the program's name; the default is `sys.argv[1:]`. While the command runs, `sys.argv` is the
    whole command line, because Lightning starts the workers of a multi-process run by running it again.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        return _guarded(words)
    finally:
        sys.argv = before


def _guarded(words: list[str]) -> int:
    try:
        _dispatch(words)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        return _fail("stopped by Ctrl-C", INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has gone: nothing is left to say, and the flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if not is_user_error(error):
            raise
        if os.environ.get("FACEGEN_DEBUG", "0") not in ("", "0"):
            traceback.print_exc()
        return _fail(one_line(error), USER_ERROR)


def _fail(message: str, status: int) -> int:
    print(f"facegen: {message}", file=sys.stderr, flush=True)
    return status


def _dispatch(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        return print(overview())
    if words[0] in ("-V", "--version"):
        return print(f"facegen {__version__}")
    command, group, rest = find(words)
    if command is None:
        return print(overview(group))
    _run(command, rest)


def _run(command: Command, arguments: list[str]) -> None:
    from facegen.cli import compose, help  # Hydra takes 0.2 s to import: only where a configuration is needed

    options, overrides = compose.split_options(command.name, arguments)
    overrides = command.named(overrides)
    if options.help:
        return print(help.help_text(command, overrides, options.config_dir))
    if options.show:
        return print(compose.as_yaml(compose.compose(command, overrides, options.config_dir)), end="")
    cfg = compose.checked(command, overrides, options.config_dir)
    import_module(command.module).run(cfg)
