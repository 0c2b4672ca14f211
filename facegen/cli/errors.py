"""One line for every mistake a user can make: what was got, what was expected, what to do."""

import errno
import re
import traceback
from pathlib import Path

# A constructor's answer to settings that its signature could not show, because it takes **kwargs.
_ARGUMENTS = re.compile(r"unexpected keyword argument|missing \d+ required|multiple values for")
_EXTRAS = {"wandb": "wandb", "tensorboard": "tensorboard"}
_ADVICE = {
    errno.ENOENT: "does not exist; check the spelling",
    errno.EACCES: "permission denied; choose a path that you may read and write",
    errno.EPERM: "permission denied; choose a path that you may read and write",
    errno.EROFS: "is on a read-only file system; choose another folder",
    errno.ENOSPC: "no space left on the disk; free some, or choose a folder on another disk",
    errno.EDQUOT: "the disk quota is used up; free some, or choose a folder on another disk",
    errno.EEXIST: "exists already; choose another name",
    errno.EISDIR: "is a folder, expected a file",
    errno.ENOTDIR: "is not a folder; a part of this path is a file",
    errno.ENAMETOOLONG: "the file name is too long",
}
# Libraries report a full disk in their own words, not as an OSError with its number.
_FULL_DISK = re.compile(r"No space left|StorageFull|code: 28\b|PytorchStreamWriter failed|unexpected pos")

_KILLED_WORKER = re.compile(r"DataLoader worker .*(killed|exited)")
# By name, because importing their modules takes seconds. MisconfigurationException is Lightning's word for arguments
# that do not go together; TrainingDiverged is ours.
_NAMES = {"OutOfMemoryError", "MisconfigurationException", "TrainingDiverged"}


def unwrap(error: BaseException) -> BaseException:
    """The error that Hydra's `instantiate` wrapped."""
    while type(error).__name__ == "InstantiationException" and error.__cause__ is not None:
        error = error.__cause__
    return error


def is_user_error(error: BaseException) -> bool:
    """Whether an error is answered in one line (a mistake, a missing file or package, a full disk) or is a bug."""
    wrapped, error = error, unwrap(error)
    if wrapped is not error and isinstance(error, TypeError) and _ARGUMENTS.search(str(error)):
        return True
    if isinstance(error, ValueError | OSError | ModuleNotFoundError | MemoryError):
        return True
    if type(error).__module__.split(".")[0] in ("hydra", "omegaconf", "antlr4"):
        return True
    text = str(error)
    return type(error).__name__ in _NAMES or bool(_FULL_DISK.search(text) or _KILLED_WORKER.search(text))


def one_line(error: BaseException) -> str:
    """The line to print after `facegen: `."""
    error = unwrap(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory ({_squeeze(_last_cause(str(error)))[:160]}); use a smaller batch or network"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.split(".")[0]
        extra = _EXTRAS.get(package)
        return f"the package {package} is missing; " + (
            f"pip install 'facegen[{extra}]'" if extra else f"pip install {package}"
        )
    if isinstance(error, OSError) and error.errno in _ADVICE:
        where = error.filename2 or error.filename
        return f"{_text(where)}: {_ADVICE[error.errno]}" if where else _ADVICE[error.errno]
    if _FULL_DISK.search(str(error)):
        return _ADVICE[errno.ENOSPC]
    if _KILLED_WORKER.search(str(error)):
        return "a decoding process was ended from outside, mostly for want of memory; free some, or use workers=0"
    message = _squeeze(_last_cause(str(error))) or type(error).__name__
    return message if _raised_here(error) else f"{message} (FACEGEN_DEBUG=1 shows where)"


def _text(path: object) -> str:
    return path.decode(errors="replace") if isinstance(path, bytes) else str(path)


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _last_cause(text: str) -> str:
    """A DataLoader re-raises a worker's error with the worker's traceback as its text: keep the last message."""
    if "Original Traceback" not in text:
        return text
    blocks = re.split(r"^\w[\w.]*(?:Error|Exception|Interrupt): ", text, flags=re.MULTILINE)
    return blocks[-1]


def _raised_here(error: BaseException) -> bool:
    """Whether facegen's own code (or Hydra's, whose words are for users) raised the error."""
    if type(error).__module__.split(".")[0] in ("hydra", "omegaconf"):
        return True
    frames = traceback.extract_tb(error.__traceback__)
    package = Path(__file__).resolve().parents[1]
    own = (package, (package / "callbacks").resolve())
    return not frames or any(Path(frames[-1].filename).resolve().is_relative_to(folder) for folder in own)
