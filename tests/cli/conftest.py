"""A tiny exported generator, and the program called in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from facegen import cli
from facegen.checkpoint import save_network
from facegen.networks.stylegan2 import Generator
from tests.models.tiny import tiny_eg3d

Facegen = Callable[..., tuple[int, str, str]]


@pytest.fixture
def facegen(capsys: pytest.CaptureFixture[str]) -> Facegen:
    """Call `facegen` with some words: exit status, standard output, standard error."""

    def call(*words: str) -> tuple[int, str, str]:
        status = cli.main(words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def refused(facegen: Facegen) -> Callable[..., str]:
    """Call `facegen`, expect a user's mistake, and return the one line that answers it."""

    def call(*words: str) -> str:
        status, _, err = facegen(*words)
        lines = [line for line in err.splitlines() if line.startswith("facegen: ")]
        assert status == 2 and len(lines) == 1 and "Traceback" not in err, err
        return lines[0]

    return call


def tiny_generator(c_dim: int = 0) -> Generator:
    torch.manual_seed(0)
    synthesis = {"channel_base": 256, "channel_max": 16, "num_fp16_res": 0}
    return Generator(z_dim=16, c_dim=c_dim, w_dim=16, img_resolution=16, synthesis_kwargs=synthesis)


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported unconditional generator of 16 pixels."""
    return save_network(tiny_generator(), tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="session")
def camera_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported camera-conditional generator of 16 pixels."""
    return save_network(tiny_generator(c_dim=25), tmp_path_factory.mktemp("camera_export"))


@pytest.fixture(scope="session")
def eg3d_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported EG3D generator of 16 pixels."""
    torch.manual_seed(0)
    return save_network(tiny_eg3d().generator, tmp_path_factory.mktemp("eg3d_export"))
