"""Every error is one line that says what to do."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, Dataset

from facegen.cli.errors import is_user_error, one_line
from facegen.models import TrainingDiverged


def caught(function: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as info:
        function()
    return info.value


class Broken(Dataset[int]):
    """A data set whose items cannot be read."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        raise ValueError("image 3.png: truncated,\n expected a whole PNG")


def test_error_of_a_worker_is_its_message() -> None:
    error = caught(lambda: list(DataLoader(Broken(), num_workers=1)))
    assert is_user_error(error)
    assert one_line(error).startswith("image 3.png: truncated, expected a whole PNG")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "/x/y: no space left"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x: permission denied; choose"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0"), "no space left"),
        (ModuleNotFoundError("No module named 'wandb'", name="wandb"), "pip install 'facegen[wandb]'"),
        (RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed."), "use workers=0"),
        (TrainingDiverged("training stopped: lower the learning rate"), "training stopped: lower the learning rate"),
        (MemoryError("Unable to allocate 3 GiB"), "out of memory (Unable to allocate 3 GiB); use a smaller batch"),
    ],
)
def test_known_errors(error: BaseException, expected: str) -> None:
    assert is_user_error(error) and expected in one_line(error) and "\n" not in one_line(error)


def test_missing_file_names_it(tmp_path: Path) -> None:
    error = caught(lambda: (tmp_path / "none").read_text())
    assert one_line(error) == f"{tmp_path / 'none'}: does not exist; check the spelling"


def test_words_of_a_library_point_to_debug() -> None:
    assert one_line(caught(lambda: int("x"))).endswith("(FACEGEN_DEBUG=1 shows where)")


def test_bugs_are_not_user_errors() -> None:
    assert not is_user_error(TypeError("x")) and not is_user_error(RuntimeError("x"))
