"""Path length: closed forms of toy generators, what stays equal in a pair, and the trimmed mean."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegen.metrics.path_length import PathLength, path_pairs, slerp, trimmed_mean
from tests.models.tiny import camera_labels, tiny_eg3d, tiny_model


class SquaredDifference(nn.Module):
    name = "sum of squared differences"

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a.double() - b.double()).square().sum(dim=(1, 2, 3))


class Linear(nn.Module):
    """w = (1 + c) z in two layers, picture = the sum of A w over layers: a generator whose path length is known."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = torch.randn(3 * 4 * 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def mapping(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        scale = 1 if c is None else 1 + c[:, :1]
        return (scale * z.double())[:, None].expand(-1, 2, -1)

    def synthesis(self, ws: Tensor, noise_mode: str = "const", randn: Any = None) -> Tensor:
        return (ws.sum(dim=1) @ self.matrix.T).view(-1, 3, 4, 4)


def latents(count: int, size: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    z0, z1 = torch.randn(2, count, size, generator=generator).unbind()
    return z0, z1, torch.rand(count, generator=generator)


def metric(**options: Any) -> PathLength:
    return PathLength(SquaredDifference(), **options)  # pyright: ignore[reportArgumentType]


def test_linear_generator() -> None:
    """The picture moves by 2 A (w1 - w0) epsilon, so that PPL is the mean of |2 A (w1 - w0)|^2."""
    generator, (z0, z1, t) = Linear(), latents(40)
    c = torch.rand(40, 2, generator=torch.Generator().manual_seed(2))
    ppl = metric(trim=0.0)
    for part in torch.arange(40).split(15):
        ppl.update(*path_pairs(generator, z0[part], z1[part], t[part].double(), c[part]))
    steps = 2 * (1 + c[:, :1]).double() * (z1 - z0).double() @ generator.matrix.T
    expected = steps.square().sum(dim=1)
    found = ppl.compute()
    assert found.value.item() == pytest.approx(expected.mean().item(), rel=1e-6)
    assert found.standard_error.item() == pytest.approx(expected.std().item() / math.sqrt(40), rel=1e-6)


def test_latent_paths_are_great_circles() -> None:
    """On the unit sphere of z the speed is the angle between the ends."""
    generator, (z0, z1, t) = Linear(), latents(30)
    generator.matrix = torch.cat([torch.eye(5, dtype=torch.float64), torch.zeros(43, 5, dtype=torch.float64)])
    ppl = metric(trim=0.0, epsilon=1e-2)
    ppl.update(*path_pairs(generator, z0, z1, t, space="z", epsilon=1e-2))
    angles = torch.acos(torch.cosine_similarity(z0.double(), z1.double()))
    assert ppl.compute().value.item() == pytest.approx((2 * angles).square().mean().item(), rel=1e-4)


def test_slerp_passes_through_both_ends_at_unit_length() -> None:
    z0, z1, t = latents(6)
    for end, step in ((z0, 0.0), (z1, 1.0)):
        torch.testing.assert_close(slerp(z0, z1, torch.full((6, 1), step)), nn.functional.normalize(end))
    assert slerp(z0, z1, t[:, None]).norm(dim=1).tolist() == pytest.approx([1.0] * 6, rel=1e-6)


def test_a_pair_shares_noise_and_label() -> None:
    torch.manual_seed(0)
    generator = tiny_model().generator.eval()
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            nn.init.constant_(parameter, 0.5)
    z0, z1, t = latents(2, 16)
    first, second = path_pairs(generator, z0, z1, t, torch.zeros(2, 0), noise_mode="random", epsilon=0.0)
    assert torch.equal(first, second)
    other, _ = path_pairs(generator, z0, z1, t, torch.zeros(2, 0), noise_mode="random", epsilon=0.0)
    assert not torch.equal(first, other), "the noise itself is random"


def test_a_pair_of_eg3d_shares_the_jitter_of_rays() -> None:
    torch.manual_seed(0)
    generator = tiny_eg3d().generator.eval()
    z0, z1, t = latents(2, 16)
    first, second = path_pairs(generator, z0, z1, t, camera_labels(2), epsilon=0.0)
    assert first.shape == (2, 3, 16, 16) and torch.equal(first, second)
    first, second = path_pairs(generator, z0, z1, t, camera_labels(2), epsilon=0.1)
    assert not torch.equal(first, second)


def test_large_pictures_are_reduced_by_area() -> None:
    picture = torch.rand(1, 3, 512, 512)
    ppl = metric(epsilon=1.0)
    ppl.update(picture, torch.zeros_like(picture))
    reduced = picture.double().view(1, 3, 256, 2, 256, 2).mean(dim=(3, 5))
    assert ppl.compute().value.item() == pytest.approx(reduced.square().sum().item(), rel=1e-5)


def test_trimmed_mean_keeps_the_values_between_observed_quantiles() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0)) ** 3
    low = np.percentile(values.double().numpy(), 1, method="lower")
    high = np.percentile(values.double().numpy(), 99, method="higher")
    kept = [value for value in values.double().tolist() if low <= value <= high]
    found = trimmed_mean(values, 0.01)
    assert found.value.item() == pytest.approx(np.mean(kept), rel=1e-12)
    assert found.num_values == len(kept) and len(kept) >= 980


def test_errors() -> None:
    z0, z1, t = latents(1)
    with pytest.raises(ValueError, match="expected w or z"):
        path_pairs(Linear(), z0, z1, t, space="x")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="no paths"):
        metric().compute()
