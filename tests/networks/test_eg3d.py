"""EG3D's networks at 64 pixels: checkpoints, views of one face, conditioning, discriminators, resizing."""

from typing import Any

import pytest
import torch
from torch import Tensor

import facegen
from facegen.checkpoint import save_network
from facegen.geometry import cameras
from facegen.networks.eg3d import (
    DualDiscriminator,
    DummyDualDiscriminator,
    ImagePair,
    OSGDecoder,
    SingleDiscriminator,
    Superresolution,
    TriPlaneGenerator,
    blur,
    filtered_resizing,
)
from facegen.ops import setup_filter

RENDERING: dict[str, Any] = {
    "superresolution_module": "tiny",
    "c_scale": 1.0,
    "depth_resolution": 6,
    "depth_resolution_importance": 6,
    "ray_start": 2.25,
    "ray_end": 3.3,
    "box_warp": 1.0,
}
SMALL: dict[str, Any] = {"channel_base": 1024, "channel_max": 16, "num_fp16_res": 0}


def _generator(rendering: dict[str, Any] | None = None, **changes: Any) -> TriPlaneGenerator:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        **{"z_dim": 16, "w_dim": 32, "img_resolution": 64, "plane_resolution": 64, "neural_rendering_resolution": 16},
        **{"mapping_kwargs": {"num_layers": 2}, "rendering_kwargs": {**RENDERING, **(rendering or {})}, **SMALL},
    }
    return TriPlaneGenerator(**{**arguments, **changes}).eval()


def _labels(*angles: tuple[float, float]) -> Tensor:
    return torch.cat([cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics()) for h, v in angles])


def _seeded(seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape, device=None: torch.rand(shape, generator=generator)


@pytest.fixture(scope="module")
def face():
    """A generator, the ws of a face seen from two sides, and its cameras."""
    network = _generator()
    c = _labels((1.4, 1.5), (1.8, 1.6))
    return network, network.mapping(torch.randn(1, 16), c[:1]).expand(2, -1, -1).detach(), c


class TestGenerator:
    """Shapes, views and settings."""

    @torch.no_grad()
    def test_shapes_and_ranges(self, face):
        network, ws, c = face
        output = network.synthesis(ws, c)
        assert [tuple(value.shape) for value in output] == [(2, 3, 64, 64), (2, 3, 16, 16), (2, 1, 16, 16)]
        assert output.image_raw.abs().max() <= 1.002
        assert output.image_depth.min() >= 2.25 and output.image_depth.max() <= 3.3 + 1.05 / 5
        larger = network.synthesis(ws, c, neural_rendering_resolution=40)
        assert [value.shape[-1] for value in larger] == [64, 40, 40]
        assert network.num_ws == network.backbone.num_ws == ws.shape[1]

    @torch.no_grad()
    def test_one_face_from_several_sides(self, face):
        """Planes made once give the same pictures as planes made for every view."""
        network, ws, c = face
        planes = network.planes(ws)
        both = network.synthesis(ws, c, rand=_seeded())
        again = network.synthesis(ws, c, rand=_seeded(), planes=planes)
        assert all(torch.equal(a, b) for a, b in zip(both, again, strict=True))
        assert not torch.equal(both.image_raw[0], both.image_raw[1])
        points = torch.rand(2, 30, 3) - 0.5
        given, made = (network.sample_mixed(points, ws, planes=value) for value in (planes, None))
        assert torch.equal(given.sigma, made.sigma) and torch.equal(given.rgb, made.rgb)
        assert torch.equal(made.sigma[0] == made.sigma[1], (points[0] == points[1]).all(-1, keepdim=True))

    @torch.no_grad()
    def test_rays_at_a_time(self, face):
        network, ws, c = face
        whole = network.synthesis(ws, c, rand=_seeded(), chunk=256)
        for chunk in (None, 100):
            parts = network.synthesis(ws, c, rand=_seeded(), chunk=chunk)
            for got, expected in zip(parts, whole, strict=True):
                torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)

    def test_gradients_of_chunks(self, face):
        network, ws, c = face
        found = []
        for chunk in (None, 100):
            network.zero_grad()
            output = network.synthesis(ws, c, rand=_seeded(), chunk=chunk)
            (output.image.square().mean() + output.image_depth.mean()).backward()
            found.append({name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None})
        assert any(name.startswith("backbone.synthesis") for name in found[0])
        for name, grad in found[0].items():
            torch.testing.assert_close(found[1][name], grad, rtol=1e-3, atol=1e-6)

    @torch.no_grad()
    def test_conditioning(self):
        z, c = torch.randn(2, 16), _labels((1.2, 1.5), (1.9, 1.6))

        def depends(**rendering: Any) -> bool:
            network = _generator(rendering)
            return not torch.equal(network.mapping(z, c), network.mapping(z, c.flip(0)))

        assert depends()
        assert not depends(c_gen_conditioning_zero=True)
        assert not depends(c_gen_conditioning_avg=True)
        assert not depends(c_scale=0.0)
        unscaled = _generator()
        del unscaled.rendering_kwargs["c_scale"]  # the published fallback
        assert not unscaled.condition(c).any()

    @torch.no_grad()
    def test_average_of_w_moves_only_on_request(self):
        network = _generator().train()
        before = network.backbone.mapping.w_avg.clone()
        z, c = torch.randn(4, 16), _labels(*[(1.5, 1.5)] * 4)
        network.mapping(z, c)
        assert torch.equal(network.backbone.mapping.w_avg, before)
        ws = network.mapping(z, c, update_w_avg=True)
        torch.testing.assert_close(network.backbone.mapping.w_avg, before.lerp(ws[:, 0].mean(0), 1 - 0.998))

    def test_bad_settings(self):
        with pytest.raises(ValueError, match="plane_axes: got 'xyz'"):
            _generator(plane_axes="xyz")
        with pytest.raises(ValueError, match="plane_axes: got 'xyz'"):
            _generator().plane_axes = "xyz"
        with pytest.raises(ValueError, match="images of 64 pixels, expected 128 for SuperresolutionHybrid2X"):
            _generator({"superresolution_module": "SuperresolutionHybrid2X"})
        with pytest.raises(ValueError, match="superresolution_module: got 'Other', expected one of Superres"):
            _generator({"superresolution_module": "Other"})
        with pytest.raises(ValueError, match="clamp_mode"):
            network = _generator({"clamp_mode": "relu"})
            network(torch.randn(1, 16), _labels((1.5, 1.5)))


class TestCheckpoints:
    """What a saved generator keeps."""

    def test_round_trip(self, tmp_path):
        network = _generator(plane_axes="xy_xz_zy")
        network.neural_rendering_resolution = 12
        network.rendering_kwargs["depth_resolution_importance"] = 4
        save_network(network, tmp_path)
        again = facegen.load(tmp_path)
        assert isinstance(again, TriPlaneGenerator)
        assert (again.plane_axes, again.neural_rendering_resolution) == ("xy_xz_zy", 12)
        assert again.rendering_kwargs == network.rendering_kwargs
        z, c = torch.randn(1, 16), _labels((1.3, 1.5))
        with torch.no_grad():
            outputs = [g(z, c, rand=_seeded()) for g in (network, again)]
        assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))

    def test_axes_changed_after_construction(self, tmp_path):
        network = _generator()
        z, c = torch.randn(1, 16), _labels((1.3, 1.5))
        with torch.no_grad():
            before = network(z, c, rand=_seeded()).image_raw
            network.plane_axes = "xy_xz_zy"
            after = network(z, c, rand=_seeded()).image_raw
        assert (before - after).abs().max() > 0.01
        again = facegen.load(save_network(network, tmp_path))
        assert isinstance(again, TriPlaneGenerator) and again.plane_axes == "xy_xz_zy"
        with torch.no_grad():
            assert torch.equal(again(z, c, rand=_seeded()).image_raw, after)

    def test_the_buffer_of_official_snapshots(self, tmp_path):
        plain, network = _generator(), _generator()
        std = torch.rand(25)
        network.load_state_dict({**plain.state_dict(), "dataset_label_std": std}, strict=True)
        assert torch.equal(network.state_dict()["dataset_label_std"], std)
        assert torch.equal(facegen.load(save_network(network, tmp_path)).state_dict()["dataset_label_std"], std)
        with pytest.raises(RuntimeError, match="unexpected_one"):
            network.load_state_dict({**plain.state_dict(), "unexpected_one": std}, strict=True)


def _discriminator(kind: type[Any], **changes: Any) -> Any:
    torch.manual_seed(5)
    mapping = {"mapping_kwargs": {"num_layers": 1}}
    return kind(**{"c_dim": 25, "img_resolution": 32, "channel_base": 256, "channel_max": 16, **mapping, **changes})


def _pair(batch: int = 4) -> ImagePair:
    generator = torch.Generator().manual_seed(6)
    return ImagePair(*(torch.rand(batch, 3, size, size, generator=generator) * 2 - 1 for size in (32, 8)))


class TestDiscriminators:
    """What each of them sees."""

    @pytest.mark.parametrize(
        ("kind", "sees_raw"), [(DualDiscriminator, True), (DummyDualDiscriminator, True), (SingleDiscriminator, False)]
    )
    def test_which_images_count(self, kind, sees_raw):
        network, pair, c = _discriminator(kind), _pair(), torch.randn(4, 25)
        pair = ImagePair(*(value.requires_grad_() for value in pair))
        logits = network(pair, c)
        assert logits.shape == (4, 1)
        grads = torch.autograd.grad(logits.square().sum(), [*pair], allow_unused=True)
        assert grads[0].abs().max() > 0
        assert (grads[1] is not None) == sees_raw
        assert (network(pair, c.flip(0)) - logits).abs().max() > 1e-6

    def test_the_rendering_fades_out(self):
        full, dummy = (_discriminator(kind) for kind in (DualDiscriminator, DummyDualDiscriminator))
        pair, c = _pair(), torch.randn(4, 25)
        assert torch.equal(full(pair, c), dummy(pair, c))
        dummy.raw_fade = 0.0
        blank = ImagePair(pair.image, torch.zeros_like(pair.image_raw))
        torch.testing.assert_close(dummy(pair, c), full(blank, c))

    def test_construction_again_from_the_stored_arguments(self):
        for kind in (DualDiscriminator, DummyDualDiscriminator, SingleDiscriminator):
            network = _discriminator(kind, disc_c_noise=0.3)
            again = kind(**network.init_kwargs)
            again.load_state_dict(network.state_dict(), strict=True)
            assert again.disc_c_noise == 0.3

    def test_noise_on_labels_is_in_units_of_their_spread(self):
        network, pair = _discriminator(DualDiscriminator, disc_c_noise=0.5), _pair()
        c = torch.randn(4, 25)
        noise = torch.randn(4, 25)
        noisy = network(pair, c, randn=lambda shape, device=None: noise)
        plain = _discriminator(DualDiscriminator)
        torch.testing.assert_close(noisy, plain(pair, c + 0.5 * noise * c.std(0)))

    def test_second_order_against_finite_differences(self):
        """R1's penalty falls along its own gradient as fast as that gradient says."""
        smooth = {"activation": "swish"}  # the penalty has no gradient where a leaky ReLU has its kink
        network = _discriminator(DualDiscriminator, block_kwargs=smooth, epilogue_kwargs=smooth)
        pair, c = ImagePair(*(value.requires_grad_() for value in _pair())), torch.randn(4, 25)
        parameters = [*network.parameters()]

        def penalty() -> Tensor:
            grads = torch.autograd.grad(network(pair, c).sum(), [*pair], create_graph=True)
            return sum((grad.square().sum() for grad in grads), start=torch.zeros([]))

        start = penalty()
        grads = torch.autograd.grad(start, parameters, allow_unused=True, materialize_grads=True)
        slope = sum(float(grad.square().sum()) for grad in grads)
        step = 0.01 * start.item() / slope  # about a hundredth less
        values = []
        for move in (step, -2 * step):
            with torch.no_grad():
                for parameter, grad in zip(parameters, grads, strict=True):
                    parameter.add_(grad, alpha=move)
            values.append(penalty().item())
        torch.testing.assert_close((values[0] - values[1]) / (2 * step), slope, rtol=2e-3, atol=0)


class TestSmallParts:
    """Decoder, super-resolution, resizing, blur."""

    def test_colours_leave_zero_and_one_a_margin(self):
        found = OSGDecoder(32)(torch.randn(2, 500, 32) * 1000)
        assert found.rgb.shape == (2, 500, 32) and found.sigma.shape == (2, 500, 1)
        torch.testing.assert_close(found.rgb.min().item(), -0.001, atol=1e-6, rtol=0)
        torch.testing.assert_close(found.rgb.max().item(), 1.001, atol=1e-6, rtol=0)

    @torch.no_grad()
    def test_superresolution_by_official_names(self):
        for name in ("training.superresolution.SuperresolutionHybrid2X", "SuperresolutionHybrid2X"):
            module = Superresolution(name, channels=8, img_resolution=128, w_dim=16)
            ws = torch.randn(1, 5, 16)
            x = torch.randn(1, 8, 20, 20)
            image = module(x[:, :3], x, ws, noise_mode="none")
            assert image.shape == (1, 3, 128, 128)
            other = torch.cat([torch.randn(1, 4, 16), ws[:, -1:]], dim=1)
            assert torch.equal(image, module(x[:, :3], x, other, noise_mode="none"))  # only the last w counts

    def test_modes_of_resizing(self):
        images, f = torch.rand(2, 3, 20, 20), setup_filter([1, 3, 3, 1])
        plain, smooth = (filtered_resizing(images, 8, f, mode) for mode in ("none", "antialiased"))
        torch.testing.assert_close(filtered_resizing(images, 8, f, 0.0), plain)
        torch.testing.assert_close(filtered_resizing(images, 8, f, 1.0), smooth)
        torch.testing.assert_close(filtered_resizing(images, 8, f, 0.25), 0.25 * smooth + 0.75 * plain)
        assert (plain - smooth).abs().max() > 0.05
        for mode in ("none", "antialiased", "classic"):
            flat = filtered_resizing(torch.full([1, 3, 20, 20], 0.7), 12, f, mode)
            torch.testing.assert_close(flat[..., 2:-2, 2:-2], torch.full([1, 3, 8, 8], 0.7))
        for mode in ("other", 1.5, -0.1):
            with pytest.raises(ValueError, match=f"filter_mode: got {mode!r}"):
                filtered_resizing(images, 8, f, mode)

    def test_blur(self):
        images = torch.rand(1, 3, 40, 40)
        assert torch.equal(blur(images, 0.0), images)
        assert torch.equal(blur(images, 0.3), images)
        point = torch.zeros(1, 1, 41, 41)
        point[..., 20, 20] = 1
        spread = blur(point, 2.0)
        torch.testing.assert_close(spread.sum(), torch.ones([]))
        torch.testing.assert_close(spread[0, 0, 20, 22] / spread[0, 0, 20, 20], torch.tensor(0.5))
        torch.testing.assert_close(spread, spread.mT)
