"""Inversion: pictures that a tiny generator made lead back to their latents."""

from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.geometry import cameras
from facegen.losses.perceptual import PyramidDistance
from facegen.models import inversion
from facegen.models.inversion import invert, noise_regularization, pivotal_tuning, psnr
from facegen.models.inversion.objective import Weights, objective, shrink
from facegen.models.inversion.pictures import Rendered
from facegen.models.inversion.projection import learning_rate_factor
from facegen.networks import eg3d
from facegen.networks.eg3d import TriPlaneGenerator
from facegen.networks.stylegan2 import Generator

SMALL = {"channel_base": 256, "channel_max": 16, "num_fp16_res": 0}
QUICK: dict[str, Any] = {
    "perceptual": PyramidDistance(),
    "average_samples": 200,
    "progress": False,
}


def flat(c_dim: int = 0) -> Generator:
    """A random StyleGAN2 whose noise maps matter."""
    torch.manual_seed(0)
    network = Generator(
        z_dim=8,
        c_dim=c_dim,
        w_dim=8,
        img_resolution=16,
        mapping_kwargs={"num_layers": 2, "lr_multiplier": 1.0},
        synthesis_kwargs=SMALL,
    )
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.1)
    return network.eval().requires_grad_(False)


def solid() -> TriPlaneGenerator:
    """A random EG3D of 16 pixels."""
    torch.manual_seed(0)
    rendering = {
        "superresolution_module": "tiny",
        "superresolution_noise_mode": "none",
        "c_scale": 1.0,
        "depth_resolution": 6,
        "depth_resolution_importance": 6,
        "ray_start": 2.25,
        "ray_end": 3.3,
        "box_warp": 1.0,
    }
    network = TriPlaneGenerator(
        z_dim=8,
        w_dim=8,
        img_resolution=16,
        mapping_kwargs={"num_layers": 2, "lr_multiplier": 1.0},
        rendering_kwargs=rendering,
        plane_resolution=16,
        neural_rendering_resolution=8,
        channel_base=256,
        channel_max=16,
        num_fp16_res=0,
    )
    return network.eval().requires_grad_(False)


def views(count: int) -> Tensor:
    """Cameras from different sides."""
    return cameras.label(cameras.look_at(torch.linspace(1.2, 1.9, count), 1.5), cameras.pinhole_intrinsics())


@torch.no_grad()
def made(network: Any, count: int = 2) -> tuple[Tensor, Tensor]:
    """Latents (N, num_ws, w_dim) and their pictures, cut off like photographs."""
    z = torch.randn(count, network.z_dim, generator=torch.Generator().manual_seed(5))
    c = network.average_camera().expand(count, -1) if eg3d.is_3d(network) else torch.zeros(count, network.c_dim)
    ws = network.mapping(z, c)
    shown = views(count) if eg3d.is_3d(network) else None
    return ws, inversion.synthesize(network, ws, shown).image.clamp(-1, 1)


def start(network: Any, count: int) -> Tensor:
    """Pictures of the mean latent."""
    is_3d = eg3d.is_3d(network)
    conditioning = inversion.average_camera(network) if is_3d else torch.zeros(1, 0)
    mean = inversion.w_statistics(network, conditioning.expand(count, -1), 200).mean
    ws = mean[:, None].expand(-1, network.num_ws, -1)
    return inversion.synthesize(network, ws, views(count) if is_3d else None).image


def snapshot(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def unchanged(network: torch.nn.Module, before: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_each_step_comes_nearer() -> None:
    """W finds the latent of a generated picture; W+ and pivotal tuning explain one that W cannot."""
    network, before = flat(), snapshot(flat())
    ws, images = made(network)
    found = invert(network, images, steps=120, **QUICK)
    assert (psnr(found.images, images) > psnr(start(network, 2), images) + 8).all()
    mean = inversion.w_statistics(network, torch.zeros(2, 0), 200).mean
    assert ((found.ws - ws)[:, 0].norm(dim=1) < 0.5 * (mean - ws[:, 0]).norm(dim=1)).all()
    assert (found.ws == found.ws[:, :1]).all() and found.history.shape == (120, 2)

    mixed = torch.cat([ws[:1, :3], ws[1:, 3:]], dim=1)  # the coarse layers of one and the fine layers of the other
    target = inversion.synthesize(network, mixed).image.clamp(-1, 1)
    w = invert(network, target, steps=120, **QUICK)
    plus = invert(network, target, space="w+", steps=120, **QUICK)
    assert not (plus.ws == plus.ws[:, :1]).all()
    assert psnr(plus.images, target) > psnr(w.images, target) + 1
    settings = {"steps": 120, "learning_rate": 2e-3, "perceptual": QUICK["perceptual"], "progress": False}
    tuned = pivotal_tuning(network, w.ws, target, **settings)
    assert psnr(tuned.images, target) > psnr(plus.images, target)
    assert torch.allclose(inversion.synthesize(tuned.generator, w.ws).image, tuned.images)
    assert unchanged(network, before) and not unchanged(tuned.generator, before)
    assert not any(p.requires_grad for p in (*network.parameters(), *tuned.generator.parameters()))


def test_known_cameras() -> None:
    network, before = solid(), snapshot(solid())
    _, images = made(network)
    found = invert(network, images, views(2), steps=80, raw_weight=1.0, pixel_weight=1.0, **QUICK)
    assert (psnr(found.images, images) > psnr(start(network, 2), images) + 5).all()
    settings = {"steps": 30, "learning_rate": 2e-3, "perceptual": QUICK["perceptual"], "progress": False}
    tuned = pivotal_tuning(network, found.ws[:1], images[:1], views(2)[:1], raw_weight=1.0, **settings)
    assert psnr(tuned.images, images[:1]) > psnr(found.images[:1], images[:1])
    assert unchanged(network, before)
    swapped = invert(network, images, views(2).flip(0), steps=80, raw_weight=1.0, pixel_weight=1.0, **QUICK)
    assert psnr(swapped.images, images).mean() < psnr(found.images, images).mean() - 2  # the camera is used


@pytest.mark.parametrize("build", [flat, solid])
def test_equal_seeds_give_equal_results(build: Any) -> None:
    network = build()
    _, images = made(network, 1)
    shown = views(1) if eg3d.is_3d(network) else None
    settings = {**QUICK, "steps": 5, "optimize_noise": True}
    first, again = (invert(network, images, shown, **settings) for _ in range(2))
    other = invert(network, images, shown, seed=1, **settings)
    assert torch.equal(first.ws, again.ws) and torch.equal(first.images, again.images)
    assert not torch.equal(first.ws, other.ws)
    tune = {"steps": 3, "perceptual": QUICK["perceptual"], "progress": False}
    one, two = (pivotal_tuning(network, first.ws, images, shown, **tune) for _ in range(2))
    assert unchanged(two.generator, snapshot(one.generator))


def test_images_of_a_batch_do_not_disturb_each_other() -> None:
    """Two images at once are what each of them is alone, but for the random numbers that w is shaken by."""
    network = flat()
    _, images = made(network)
    settings = {**QUICK, "steps": 20, "initial_noise": 0.0}
    together = invert(network, images, **settings).ws
    alone = torch.cat([invert(network, image[None], **settings).ws for image in images])
    assert torch.allclose(together, alone, atol=1e-4)


def test_noise_maps_as_unknowns() -> None:
    network = flat()
    _, images = made(network)
    found = invert(network, images, steps=40, optimize_noise=True, **QUICK)
    assert list(found.noise) == list(inversion.noise_buffers(network)) and len(found.noise) == 5
    for level in found.noise.values():
        assert level.shape[:2] == (2, 1)
        assert torch.allclose(level.mean(dim=(1, 2, 3)), torch.zeros(2), atol=1e-5)
        assert torch.allclose(level.square().mean(dim=(1, 2, 3)), torch.ones(2), atol=1e-4)
    noise = {name: level[:1] for name, level in found.noise.items()}
    tuned = pivotal_tuning(network, found.ws[:1], images[:1], noise=noise, steps=1, learning_rate=0.0, progress=False)
    assert torch.allclose(tuned.images, found.images[:1], atol=1e-5)  # the copy keeps the noise that was found


def test_noise_of_generators_with_geometry() -> None:
    assert all(name.startswith("backbone.synthesis.") for name in inversion.noise_buffers(solid()))


def test_noise_regularization() -> None:
    """By hand for 16x16, which is looked at twice."""
    level = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    expected, n = 0.0, level[0, 0].double().numpy()
    for _ in range(2):
        side = len(n)
        right = sum(n[y, x] * n[y, x - 1] for y in range(side) for x in range(side)) / side**2
        down = sum(n[y, x] * n[y - 1, x] for y in range(side) for x in range(side)) / side**2
        expected += right**2 + down**2
        n = (n[::2, ::2] + n[1::2, ::2] + n[::2, 1::2] + n[1::2, 1::2]) / 2
    assert float(noise_regularization([level])[0]) == pytest.approx(expected, rel=1e-4)
    smooth = torch.ones(1, 1, 16, 16)
    assert noise_regularization([smooth, level])[0] > 2


def test_learning_rate() -> None:
    factors = [learning_rate_factor(step / 1000) for step in range(1000)]
    assert factors[0] == 0 and factors[25] == pytest.approx(0.5) and factors[50] == factors[750] == 1
    assert factors[875] == pytest.approx(0.5, abs=0.01) and factors[-1] < 1e-4


def test_statistics_follow_the_conditioning() -> None:
    network = flat(c_dim=25)
    same, other = views(2)[[0, 0]], views(2)
    assert torch.equal(*inversion.w_statistics(network, same, 50).mean.unbind())
    assert not torch.equal(*inversion.w_statistics(network, other, 50).mean.unbind())
    z = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    w = network.mapping(z, same[:1].expand(50, -1))[:, 0]
    found = inversion.w_statistics(network, same[:1], 50)
    assert torch.allclose(found.mean[0], w.mean(0), atol=1e-5)
    assert float(found.deviation) == pytest.approx(float((w - w.mean(0)).norm(dim=1).square().mean().sqrt()), rel=1e-4)


def test_objective() -> None:
    """Large pictures are compared at 256 pixels, and each weight counts."""
    a, b = torch.rand(2, 1, 3, 512, 512, generator=torch.Generator().manual_seed(0)).unbind()
    seen = []

    def distance(x: Tensor, y: Tensor) -> Tensor:
        seen.append((x.shape[-1], y.shape[-1]))
        return torch.full((len(x),), 2.0)

    raw = torch.rand(1, 3, 64, 64)
    total, apart = objective(b, distance, Weights(0.5, 2.0, 3.0))(Rendered(a, raw))
    expected = 1 + 2 * (a - b).square().mean() + 3 * (raw - shrink(b, 64)).square().mean()
    assert seen == [(256, 256)] and apart.tolist() == [2] and float(total) == pytest.approx(float(expected), rel=1e-5)
    assert torch.allclose(shrink(b, 64)[0, :, 0, 0], b[0, :, :8, :8].mean(dim=(1, 2)), atol=1e-6)


def test_psnr() -> None:
    a = torch.zeros(2, 3, 4, 4)
    assert psnr(a + 0.2, a).tolist() == pytest.approx([20, 20], abs=1e-4)
    assert psnr(torch.full_like(a, 3.0), torch.ones_like(a)).min() > 100  # beyond the range of a picture


def test_stops_early() -> None:
    network = flat()
    ws, images = made(network, 1)
    history = pivotal_tuning(network, ws, images, steps=9, stop_below=1e9, progress=False).history
    assert len(history) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"images": torch.zeros(1, 3, 8, 8)}, r"got images of shape \(1, 3, 8, 8\), expected \(N, 3, 16, 16\)"),
        ({"images": torch.full((1, 3, 16, 16), 255.0)}, r"expected floats in \[-1, 1\]"),
        ({"images": torch.full((1, 3, 16, 16), float("nan"))}, r"expected floats in \[-1, 1\]"),
        ({"space": "z"}, "got space='z'"),
        ({"steps": 0}, "steps=0"),
        ({"cameras": torch.zeros(2, 25)}, r"got cameras of shape \(2, 25\), expected \(1, 25\)"),
        ({"cameras": None}, "needs the camera"),
        ({"initial": torch.zeros(1, 2, 8)}, "got initial latents"),
        ({"conditioning": torch.zeros(3, 25)}, r"got conditioning \(3, 25\), expected \(1, 25\)"),
    ],
)
def test_bad_input(changes: dict[str, Any], expected: str) -> None:
    arguments: dict[str, Any] = {"images": torch.zeros(1, 3, 16, 16), "cameras": views(1), **QUICK, **changes}
    with pytest.raises(ValueError, match=expected):
        invert(solid(), **arguments)


def test_bad_input_for_tuning() -> None:
    images = torch.zeros(2, 3, 16, 16)
    with pytest.raises(ValueError, match=r"got ws \(1, 6, 8\)"):
        pivotal_tuning(flat(), torch.zeros(1, 6, 8), images)
    with pytest.raises(ValueError, match="got those of 2 images, expected one image"):
        pivotal_tuning(flat(), torch.zeros(2, 6, 8), images, noise={"x": torch.zeros(2, 1, 4, 4)})
    with pytest.raises(ValueError, match="got conditioning None"):
        invert(flat(c_dim=3), images, **QUICK)
