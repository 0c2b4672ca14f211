"""Parts of EG3D against the reference: decoder, resizing, super-resolution, dual discriminator."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facegen.networks.eg3d import (
    DualDiscriminator,
    ImagePair,
    OSGDecoder,
    Superresolution,
    blur,
    filtered_resizing,
)
from facegen.ops import setup_filter
from tests.golden import (
    FIRST_ORDER,
    NETWORK,
    assert_close_golden,
    assert_norm_close,
    golden_cases,
    golden_stems,
    gradients,
    group,
    load_json,
    load_npz,
)

pytestmark = pytest.mark.parity
EG3D = (1e-4, 0.0)  # images, depth, features, planes, sigma


def _largest(norms: dict[str, float | None]) -> float:
    """The largest gradient norm of a phase; `null` stands for no gradient."""
    return max(norm or 0.0 for norm in norms.values())


def compare_gradients(network: nn.Module, arrays: dict[str, Tensor], prefix: str, norms: dict) -> None:
    """The norms of all parameters' gradients, and the gradient tensors that are stored."""
    largest, parameters = _largest(norms), dict(network.named_parameters())
    assert set(norms) == set(parameters)
    assert set(group(arrays, prefix)) <= set(parameters)
    for name, parameter in parameters.items():
        grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert_norm_close(grad.double().norm().item(), norms[name], largest, f"{prefix}{name}")
        if prefix + name in arrays:
            assert_close_golden(grad, arrays[prefix + name], 1e-3, 1e-4 * largest, prefix + name)


def test_decoder(golden):
    arrays = load_npz(golden / "eg3d/decoder.npz")
    for name, settings in load_json(golden / "eg3d/decoder.json").items():
        ref = group(arrays, f"{name}/")
        decoder = OSGDecoder(**settings)
        decoder.load_state_dict(group(ref, "w/"), strict=True)
        features = ref["features"].requires_grad_()
        found = decoder(features.mean(dim=1))
        assert_close_golden(found.rgb, ref["rgb"], *FIRST_ORDER, name=f"{name}/rgb")
        assert_close_golden(found.sigma, ref["sigma"], *FIRST_ORDER, name=f"{name}/sigma")
        scalar = (found.rgb * ref["g_rgb"]).sum() + (found.sigma * ref["g_sigma"]).sum()
        parameters = dict(decoder.named_parameters())
        assert set(parameters) == set(group(ref, "grad/"))
        grads = gradients(scalar, [features, *parameters.values()])
        expected = [ref["grad_features"], *(ref[f"grad/{key}"] for key in parameters)]
        for key, grad, reference in zip(("features", *parameters), grads, expected, strict=True):
            assert_close_golden(grad, reference, *FIRST_ORDER, name=f"{name}/grad {key}")


@pytest.mark.parametrize("case", golden_cases("eg3d/resize.json"))
def test_resizing_and_blur(golden, case):
    arrays, name = load_npz(golden / "eg3d/resize.npz"), case["case"]
    if name.startswith("blur/"):
        _check_blur(arrays, name)
        return
    source, target, _ = name.split("/")
    images = arrays[source].requires_grad_()
    resized = filtered_resizing(images, case["size"], setup_filter([1, 3, 3, 1]), case["filter_mode"])
    assert list(resized.shape) == case["out_shape"]
    assert_close_golden(resized, arrays[f"{name}/y"], *FIRST_ORDER, name=name)
    if f"{name}/gx" in arrays:
        (grad,) = gradients((resized * arrays[f"g/{source}/{target}"]).sum(), [images])
        assert_close_golden(grad, arrays[f"{name}/gx"], *FIRST_ORDER, name=f"{name}/gx")


def _check_blur(arrays: dict[str, Tensor], name: str) -> None:
    sigma = float(name.removeprefix("blur/sigma"))
    taps, ref = arrays[f"{name}/filter"], arrays[f"{name}/y"]
    (source,) = [value for key, value in arrays.items() if re.fullmatch(r"img\d+", key) and value.shape == ref.shape]
    assert_close_golden(blur(source, sigma), ref, *FIRST_ORDER, name=name)
    point = torch.zeros(1, 1, len(taps), len(taps))
    point[..., len(taps) // 2, len(taps) // 2] = 1
    assert_close_golden(blur(point, sigma)[0, 0].sum(dim=0), taps, *FIRST_ORDER, name=f"{name}/filter")


def _views(image: Tensor, ref: dict[str, Tensor], prefix: str):
    """Pairs of the recorded views of an image and the same views of ours: strided, corner, centre."""
    for key, expected in group(ref, f"{prefix}.").items():
        if step := re.fullmatch(r"s(\d+)", key):
            yield key, image[:, :, 1 :: int(step[1]), 2 :: int(step[1])], expected
        else:
            side = expected.shape[-1]
            start = {"corner": 0, "centre": (image.shape[-1] - side) // 2}[key]
            yield key, image[:, :, start : start + side, start : start + side], expected


@pytest.mark.parametrize("case", golden_cases("eg3d/sr_modules.json"))
@torch.no_grad()
def test_superresolution(golden, case):
    name, ref = case["case"], group(load_npz(golden / "eg3d/sr_modules.io.npz"), f"{case['case']}/")
    module = Superresolution(case["module"], **case["kwargs"]).eval()
    module.load_state_dict(load_npz(golden / f"eg3d/{name}.weights.npz"), strict=True)
    assert [key for key, _ in module.named_parameters()] == case["parameters"]
    assert [key for key, _ in module.named_buffers()] == case["buffers"]
    modes = {match[1] for key in ref if (match := re.fullmatch(r"out_(\w+)\..+", key))}
    assert modes
    for mode in modes:
        image = module(ref["rgb"], ref["x"], ref["ws"], noise_mode=mode)
        assert list(image.shape) == case["out_shape"]
        for key, got, expected in _views(image, ref, f"out_{mode}"):
            assert_close_golden(got, expected, *EG3D, name=f"{name}/{mode}.{key}")


class TestDualDiscriminator:
    """`dual_d*`: logits, embedded labels, R1, noise on labels."""

    pytestmark = pytest.mark.parametrize("name", golden_stems("eg3d/dual_d*.weights.npz", ".weights.npz"))

    def _load(self, golden, name: str, **changes: Any):
        description = load_json(golden / f"eg3d/{name}.json")
        network = DualDiscriminator(**{**description["config"], **changes})
        network.load_state_dict(load_npz(golden / f"eg3d/{name}.weights.npz"), strict=True)
        return network.eval(), description, load_npz(golden / f"eg3d/{name}.io.npz")

    def _check_logits(self, logits: Tensor, ref: Tensor) -> None:
        assert_close_golden(logits, ref, *NETWORK, name="logits")
        assert_close_golden(logits, ref, 0, 1e-5, "logits, absolute")

    def test_names(self, golden, name):
        network, description, _ = self._load(golden, name)
        assert [key for key, _ in network.named_parameters()] == description["parameters"]
        assert {key for key, _ in network.named_buffers()} == set(description["buffers"])

    @torch.no_grad()
    def test_logits(self, golden, name):
        network, _, arrays = self._load(golden, name)
        self._check_logits(network(ImagePair(arrays["image"], arrays["image_raw"]), arrays["c"]), arrays["logits"])
        assert_close_golden(network.mapping(None, arrays["c"]), arrays["cmap"], *NETWORK, name="cmap")
        resized = filtered_resizing(arrays["image_raw"], arrays["image"].shape[-1], network.resample_filter)
        ((step, ref),) = group(arrays, "image_raw_resized.s").items()
        assert_close_golden(resized[:, :, :: int(step), :: int(step)], ref, *FIRST_ORDER, name="resized")

    @torch.no_grad()
    def test_noise_on_labels(self, golden, name):
        _, description, arrays = self._load(golden, name)
        network, _, _ = self._load(golden, name, disc_c_noise=description["c_noise"]["disc_c_noise"])
        seen: list[Tensor] = []
        network.mapping.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[1]))
        given = arrays["c"].clone()
        pair = ImagePair(arrays["image"], arrays["image_raw"])
        logits = network(pair, given, randn=lambda shape, device=None: arrays["c_noise/randn"].reshape(shape))
        assert torch.equal(given, arrays["c"])  # the reference changes its caller's labels; we do not
        assert_close_golden(seen[0], arrays["c_noise/c_after"], *NETWORK, name="c_after")
        self._check_logits(logits, arrays["c_noise/logits"])

    def test_r1(self, golden, name):
        network, description, arrays = self._load(golden, name)
        pair = ImagePair(arrays["image"].requires_grad_(), arrays["image_raw"].requires_grad_())
        grads = torch.autograd.grad(network(pair, arrays["c"]).sum(), list(pair), create_graph=True)
        image_only, raw = (grad.square().sum([1, 2, 3]) for grad in grads)
        loss = ((image_only + raw) * (description["r1_gamma"] / 2)).mean()
        loss.backward()
        norms, ref = description["r1_grad_norms"], group(arrays, "r1/")
        for key, got in {"penalty": image_only + raw, "penalty_image_only": image_only, "loss": loss}.items():
            assert_close_golden(got, ref[key], 2e-5, 0, name=key)
        for kind, grad in zip(("image", "image_raw"), grads, strict=True):
            for key, expected in ref.items():
                if match := re.fullmatch(rf"grad_{kind}(?:\.s(\d+))?", key):
                    step = int(match[1] or 1)
                    got = grad[:, :, ::step, ::step]
                    assert_close_golden(got, expected, 1e-3, 1e-4 * _largest(norms), key)
        compare_gradients(network, arrays, "r1/grad/", norms)
