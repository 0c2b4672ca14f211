"""Reconstruction networks of other models and sizes: what they keep, what they refuse, how pictures are resized."""

import pytest
import torch

from facegen.checkpoint import load, save_network
from facegen.geometry.perspective import DEEP3D, EG3D
from facegen.networks.reconstruction import ReconstructionNetwork, kind_of, regress


def small(**changes: object) -> ReconstructionNetwork:
    torch.manual_seed(0)
    network = ReconstructionNetwork("resnet18", (4, 3, 2), size=32, **changes)  # type: ignore[arg-type]
    for parameter in network.final_layers.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def test_a_new_network_sees_the_mean_face() -> None:
    for last in (False, True):
        network = ReconstructionNetwork("resnet18", (4, 3, 2), use_last_fc=last, size=32).eval()
        out = network(torch.rand(2, 3, 32, 32))
        assert out.shape == (2, 4 + 3 + 2 + 33) and bool((out == 0).all())


def test_regress_takes_pictures_of_any_size() -> None:
    network = small()
    smooth = torch.nn.functional.interpolate(torch.rand(2, 3, 4, 4), size=32, mode="bilinear") * 2 - 1
    expected = network((smooth + 1) / 2)
    assert torch.equal(regress(network, smooth), expected)
    larger = torch.nn.functional.interpolate(smooth, size=128, mode="bilinear")
    assert (regress(network, larger) - expected).abs().max() < 0.05 * expected.abs().max()


def test_gradients_reach_the_pictures() -> None:
    pictures = (torch.rand(1, 3, 64, 64) * 2 - 1).requires_grad_()
    regress(small(), pictures).square().sum().backward()
    assert pictures.grad is not None and bool(pictures.grad.isfinite().all()) and pictures.grad.abs().max() > 0


def test_mixed_precision_stays_near() -> None:
    network, images = small(), torch.rand(2, 3, 32, 32)
    exact = network(images)
    network.half_dtype = torch.bfloat16
    assert network(images).dtype == torch.float32
    assert 0 < (network(images) - exact).abs().max() < 0.05 * exact.abs().max()


def test_an_export_keeps_what_its_users_need(tmp_path) -> None:
    network = small(perspective=EG3D, morphable="procedural")
    again = load(save_network(network, tmp_path))
    assert isinstance(again, ReconstructionNetwork)
    assert again.perspective == EG3D and again.morphable == "procedural" and again.size == 32
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(network(images), again(images))
    assert ReconstructionNetwork("resnet18").perspective == DEEP3D


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "resnet34"}, "expected one of resnet18, resnet50"),
        ({"layout": (1, 2)}, "expected numbers of identity, expression and albedo"),
        ({"size": 16}, "at least 32"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReconstructionNetwork(**arguments)


def test_tensors_of_no_network() -> None:
    with pytest.raises(ValueError, match="none of resnet18, resnet50"):
        kind_of({"backbone.layer1.0.conv1.weight": torch.zeros(1)})
