"""Perceptual distances: the formula, the trunks, files of weights, and what the figures do when images get worse."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegen.losses import perceptual
from facegen.losses.perceptual import LPIPS, PyramidDistance, Trunk, load_lpips, perceptual_distance


class TwoFeatures(nn.Module):
    """The image itself and its halved size: features that can be computed by hand."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, F.avg_pool2d(x, 2)]


def pictures(size: int = 64, count: int = 2) -> Tensor:
    """Smooth pictures in [-1, 1] that differ from each other."""
    noise = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return F.interpolate(noise, size=size, mode="bicubic").tanh()


def random_state(kind: str, shift_tolerant: bool, heads: bool = True) -> dict[str, Tensor]:
    """A file's content as the authors name it, with random numbers."""
    torch.manual_seed(1)
    trunk = Trunk(kind, shift_tolerant)
    state: dict[str, Tensor] = {}
    widths = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}[kind]
    for number, convolution in enumerate(trunk.convolutions):
        prefix = f"net.slice1.{3 * number}"
        state |= {f"{prefix}.weight": convolution.weight, f"{prefix}.bias": convolution.bias}  # pyright: ignore
        if shift_tolerant:
            state[f"net.slice1.{3 * number + 1}.filt"] = torch.ones(8, 1, 3, 3)
    if heads:
        state |= {f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1) for i, width in enumerate(widths)}
    return {key: value.detach() for key, value in reversed(state.items())}  # the order of a file means nothing


def test_formula() -> None:
    a, b = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).unbind()
    heads = [torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.0, 2.0, 1.0])]
    expected = []
    for n in range(2):
        total = 0.0
        for x, y, head in zip(TwoFeatures()(a), TwoFeatures()(b), heads, strict=True):
            cells = [(i, j) for i in range(x.shape[2]) for j in range(x.shape[3])]
            for i, j in cells:
                u, v = x[n, :, i, j], y[n, :, i, j]
                total += float((head * (u / u.norm() - v / v.norm()) ** 2).sum()) / len(cells)
        expected.append(total)
    assert LPIPS(TwoFeatures(), heads, "test")(a, b).tolist() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_finite_where_features_vanish() -> None:
    a = torch.zeros(1, 3, 4, 4, requires_grad=True)
    LPIPS(TwoFeatures(), [torch.ones(3)] * 2, "test")(a, torch.rand(1, 3, 4, 4)).sum().backward()
    assert a.grad is not None and torch.isfinite(a.grad).all()


@pytest.mark.parametrize("shift_tolerant", [False, True])
@pytest.mark.parametrize(("kind", "widths"), [("alex", [64, 192, 384, 256, 256]), ("vgg", [64, 128, 256, 512, 512])])
def test_trunks(kind: str, widths: list[int], shift_tolerant: bool) -> None:
    features = Trunk(kind, shift_tolerant)(pictures(32))
    assert [f.shape[1] for f in features] == widths
    assert all((f >= 0).all() for f in features)  # taken after the ReLU
    sizes = [f.shape[2] for f in features]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("shift_tolerant", [False, True])
@pytest.mark.parametrize("kind", ["alex", "vgg"])
def test_file_round_trip(tmp_path: Path, kind: str, shift_tolerant: bool) -> None:
    state = random_state(kind, shift_tolerant)
    torch.save(state, tmp_path / "w.pth")
    metric = load_lpips(tmp_path / "w.pth")
    assert isinstance(metric.trunk, Trunk)
    assert metric.trunk.kind == kind and metric.trunk.shift_tolerant == shift_tolerant
    assert ("shift-tolerant" in metric.name) == shift_tolerant
    for number, convolution in enumerate(metric.trunk.convolutions):
        assert torch.equal(convolution.weight, state[f"net.slice1.{3 * number}.weight"])  # pyright: ignore
    assert all(torch.equal(h, state[f"lin{i}.model.1.weight"].flatten()) for i, h in enumerate(metric.heads))
    assert metric(pictures(32), pictures(32)).tolist() == [0, 0]
    assert not any(p.requires_grad for p in metric.parameters())


def test_trunk_without_heads_takes_the_published_ones(tmp_path: Path) -> None:
    torch.save(random_state("alex", False, heads=False), tmp_path / "alexnet.pth")
    heads = load_lpips(tmp_path / "alexnet.pth").heads
    assert [len(h) for h in heads] == [64, 192, 384, 256, 256]
    assert all((h >= 0).all() and h.std() > 0 for h in heads)


def test_refused_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got .*nothing\.pth, expected auto, alex, vgg, pyramid"):
        perceptual_distance(str(tmp_path / "nothing.pth"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match="not a readable file of weights"):
        perceptual_distance(str(tmp_path / "text.pth"))
    torch.save({"weight": torch.zeros(2, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="no AlexNet or VGG16 trunk"):
        perceptual_distance(str(tmp_path / "other.pth"))
    torch.save(torch.nn.Linear(1, 1), tmp_path / "code.pth")  # objects are never executed
    with pytest.raises(ValueError, match="not a readable file of weights"):
        perceptual_distance(str(tmp_path / "code.pth"))


def test_choice_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(perceptual, "package_weights", lambda kind: None)
    assert isinstance(perceptual_distance("auto"), PyramidDistance)
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "not LPIPS" in out and perceptual.PACKAGE in out
    monkeypatch.setattr(perceptual, "package_weights", lambda kind: Path("somewhere.pth"))
    assert isinstance(perceptual_distance("auto", side=16), PyramidDistance)  # too small for a trunk
    assert "LPIPS needs 32 pixels" in capsys.readouterr().out
    monkeypatch.setattr(perceptual, "package_weights", lambda kind: None)
    with pytest.raises(ValueError, match="package with its weights is missing"):
        perceptual_distance("vgg")


@pytest.mark.parametrize("choice", ["alex", "vgg", "pyramid"])
def test_worse_images_are_further_away(choice: str) -> None:
    if choice != "pyramid" and perceptual.package_weights(choice) is None:
        pytest.skip(f"needs the weights of stlpips-pytorch: {perceptual.PACKAGE}")
    metric, images = perceptual_distance(choice, quiet=True), pictures()
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    blurred = [F.avg_pool2d(F.pad(images, (k,) * 4, mode="reflect"), 2 * k + 1, stride=1) for k in (2, 6)]
    for worse in (
        [images + 0.05 * noise, images + 0.3 * noise],
        blurred,
        [images.roll(1, dims=3), images.roll(5, dims=3)],
    ):
        small, large = metric(images, worse[0]), metric(images, worse[1])
        assert (small > 0).all() and (large > 1.5 * small).all()
    assert metric(images, images).tolist() == [0, 0]
    assert torch.allclose(metric(images, blurred[0]), metric(blurred[0], images))


def test_shapes() -> None:
    metric = PyramidDistance()
    with pytest.raises(ValueError, match=r"got shapes .* expected two \(N, 3, H, W\)"):
        metric(torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 8, 8))
    small = LPIPS(Trunk("alex"), [torch.ones(1)] * 5, "test")
    with pytest.raises(ValueError, match="expected at least 32; use pyramid"):
        small(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16))
