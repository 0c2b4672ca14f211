"""A trained network and its model: read from a folder, and what does not belong together is refused."""

from pathlib import Path

import pytest
import torch

from facegen.checkpoint import save_network
from facegen.geometry.perspective import EG3D
from facegen.morphable.regressor import Regressor, load_regressor
from facegen.networks.reconstruction import ReconstructionNetwork
from tests.models.tiny import tiny_model
from tests.morphable.small import small_file, small_model


def small_network(layout: tuple[int, int, int] = (4, 3, 3), morphable: str = "small") -> ReconstructionNetwork:
    """A network with random last layers, for pictures of 32 pixels with EG3D's camera."""
    torch.manual_seed(0)
    network = ReconstructionNetwork("resnet18", layout, size=32, perspective=EG3D, morphable=morphable)
    for layer in network.final_layers:
        torch.nn.init.normal_(layer.weight, std=0.01)  # type: ignore[arg-type]
    return network.eval().requires_grad_(False)


def small_regressor() -> Regressor:
    """The network and the model that its numbers mean faces of."""
    return Regressor(small_network(), small_model())


def small_export(folder: Path, layout: tuple[int, int, int] = (4, 3, 3)) -> Path:
    """The network in a folder, and its model in a file beside it."""
    return save_network(small_network(layout, small_file(folder)), folder / "network")


def test_a_folder_is_the_network_with_its_model_and_camera(tmp_path: Path) -> None:
    images = torch.rand(2, 3, 40, 40) * 2 - 1
    found = load_regressor(small_export(tmp_path))
    assert found.model.perspective == EG3D and not any(p.requires_grad for p in found.network.parameters())
    expected = small_regressor().coefficients(images)
    torch.testing.assert_close(found.coefficients(images), expected)
    assert expected[:, :4].std(dim=0).min() > 0, "a network that sees nothing would pass everywhere"
    assert found.view(expected, 24).images.shape == (2, 3, 24, 24)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gives 44 coefficients, the model small has 43"):
        load_regressor(small_export(tmp_path, (5, 3, 3)))
    with pytest.raises(ValueError, match="Generator, expected a reconstruction network"):
        load_regressor(save_network(tiny_model().generator, tmp_path / "gan"))
    with pytest.raises(ValueError, match="expected an export folder"):
        load_regressor(tmp_path / "nothing")


def test_gradients_reach_the_picture_and_not_the_network() -> None:
    regressor = small_regressor()
    images = (torch.rand(1, 3, 32, 32) * 2 - 1).requires_grad_()
    regressor.split(regressor.coefficients(images)).angle.sum().backward()
    assert images.grad is not None and images.grad.abs().max() > 0
    assert all(p.grad is None for p in regressor.network.parameters())


def test_moving_it_leaves_the_shared_model_where_it_is() -> None:
    regressor = small_regressor()
    assert regressor.to("cpu") is regressor
    moved = regressor.to("meta")
    assert moved.model.mean_shape.is_meta and not regressor.model.mean_shape.is_meta
