"""TriPlaneGenerator against the reference, and LPFF's fork of it: values from recorded draws, and gradients."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.networks.eg3d import Output, TriPlaneGenerator
from tests.golden import NETWORK, assert_close_golden, golden_stems, group, load_json, load_npz
from tests.networks.test_eg3d_parity import EG3D, compare_gradients
from tests.rendering.volume.recorded import AXES, Draws

pytestmark = pytest.mark.parity
generators = pytest.mark.parametrize("name", golden_stems("eg3d/g_*.weights.npz", ".weights.npz"))
forks = pytest.mark.parametrize("fork", golden_stems("eg3d/g_*.lpff.json", ".json"))


def _load(golden, name: str, **rendering: Any) -> tuple[TriPlaneGenerator, dict[str, Any], dict[str, Tensor]]:
    """A generator with the stored weights and changed rendering settings, its description and recorded arrays."""
    description = load_json(golden / f"eg3d/{name}.json")
    network = TriPlaneGenerator(
        **description["config"],
        rendering_kwargs={**description["rendering_kwargs"], **rendering},
        plane_axes=AXES[description["plane_axes"].split()[0]],
        neural_rendering_resolution=description["neural_rendering_resolution"],
    )
    network.load_state_dict(load_npz(golden / f"eg3d/{name}.weights.npz"), strict=True)
    return network.eval(), description, load_npz(golden / f"eg3d/{name}.io.npz")


def _draws(network: TriPlaneGenerator, arrays: dict[str, Tensor], prefix: str = "") -> Draws:
    names = ["stratified_rand", "importance_u"][: 2 if network.options.depth_resolution_importance else 1]
    return Draws(arrays[f"{prefix}draw/{name}"] for name in names)


def _compare(output: Output, ref: dict[str, Tensor], prefix: str) -> None:
    """Every recorded view of the image, the rendering and the depth."""
    compared = 0
    for key, expected in group(ref, prefix).items():
        match = re.fullmatch(r"(image|image_raw|image_depth)(?:\.(?:s(\d+)|(crop)))?", key)
        if match is None:
            continue
        got, step = getattr(output, match[1]), int(match[2] or 1)
        if match[3]:
            side = expected.shape[-1]
            start = (got.shape[-1] - side) // 2
            got = got[:, :, start : start + side, start : start + side]
        assert_close_golden(got[:, :, ::step, ::step], expected, *EG3D, name=prefix + key)
        compared += 1
    assert compared


def _strided(arrays: dict[str, Tensor], name: str) -> tuple[int, Tensor]:
    """Stride and value of an array that may be recorded as `name` or `name.s4`."""
    ((step, value),) = [
        (int(match[1] or 1), value)
        for key, value in arrays.items()
        if (match := re.fullmatch(rf"{re.escape(name)}(?:\.s(\d+))?", key))
    ]
    return step, value


def _truncation(key: str) -> dict[str, Any]:
    """`psi07_cut14` -> psi 0.7, cutoff 14."""
    match = re.fullmatch(r"psi(\d)(\d+)_cut(\d+)", key)
    assert match, key
    return {"truncation_psi": float(f"{match[1]}.{match[2]}"), "truncation_cutoff": int(match[3])}


@generators
def test_names(golden, name):
    network, description, _ = _load(golden, name)
    assert [key for key, _ in network.named_parameters()] == description["parameters"]
    assert [key for key, _ in network.named_buffers()] == description["buffers"]
    assert network.num_ws == description["num_ws"]


@generators
@torch.no_grad()
def test_mapping(golden, name):
    network, _, arrays = _load(golden, name)
    for key, ref in group(arrays, "ws").items():
        c = arrays["c_cond"] if key == "_cond" else arrays["c"]
        truncation = _truncation(key[1:]) if key.startswith("_psi") else {}
        assert_close_golden(network.mapping(arrays["z"], c, **truncation), ref, *NETWORK, name=f"ws{key}")


@generators
@torch.no_grad()
def test_planes(golden, name):
    network, _, arrays = _load(golden, name)
    planes = network.planes(arrays["ws"]).flatten(1, 2)
    step, ref = _strided(arrays, "planes")
    assert_close_golden(planes[:, :, 5::step, 3::step], ref, *EG3D, name="planes")
    assert_close_golden(planes.mean(dim=(2, 3)), arrays["planes_mean"], *EG3D, name="mean")
    assert_close_golden(planes.std(dim=(2, 3)), arrays["planes_std"], *EG3D, name="std")
    quiet = network.planes(arrays["ws"], noise_mode="none").flatten(1, 2)
    step, ref = _strided(arrays, "planes_nonoise")
    assert_close_golden(quiet[:, :, 5::step, 3::step], ref, *EG3D, name="no noise")


@generators
@torch.no_grad()
def test_points(golden, name):
    network, _, arrays = _load(golden, name)
    field = network.sample_mixed(arrays["xyz"], arrays["ws"])
    rgb = arrays["sample_mixed/rgb"]
    assert_close_golden(field.sigma, arrays["sample_mixed/sigma"], *EG3D, name="sigma")
    assert_close_golden(field.rgb[:, : rgb.shape[1]], rgb, *EG3D, name="rgb")
    _check_truncated_points(network, arrays, arrays)


def _check_truncated_points(network: TriPlaneGenerator, arrays: dict[str, Tensor], ref: dict[str, Tensor]) -> None:
    """The reference's `sample` with psi 0.7 and cutoff 14, conditioned on another camera."""
    ws = network.mapping(arrays["z"], arrays["c_cond"], truncation_psi=0.7, truncation_cutoff=14)
    sigma = network.sample_mixed(arrays["xyz"], ws).sigma
    assert_close_golden(sigma, ref["sample_psi07_cond/sigma"], *EG3D, name="sample_psi07_cond/sigma")


@generators
@pytest.mark.parametrize("chunk", [None, 50])
@torch.no_grad()
def test_images(golden, name, chunk):
    network, _, arrays = _load(golden, name)
    draws = _draws(network, arrays)
    _compare(network(arrays["z"], arrays["c"], noise_mode="const", rand=draws, chunk=chunk), arrays, "")
    assert not draws.left


@generators
@torch.no_grad()
def test_what_rays_see(golden, name):
    network, _, arrays = _load(golden, name)
    seen = network.render(network.planes(arrays["ws"]), arrays["c"], rand=_draws(network, arrays))
    assert_close_golden(seen.features, arrays["feature_samples"], *EG3D, name="feature_samples")
    assert_close_golden(seen.opacity, arrays["weights_sum"], *EG3D, name="weights_sum")


@generators
@torch.no_grad()
def test_conditioning_and_rendering_cameras_apart(golden, name):
    network, _, arrays = _load(golden, name)
    ws = network.mapping(arrays["z"], arrays["c_cond"], truncation_psi=0.7)
    _compare(network.synthesis(ws, arrays["c"], rand=_draws(network, arrays)), arrays, "sep/")


@generators
@pytest.mark.parametrize(
    ("prefix", "rendering"),
    [
        ("srnoise_const/", {"superresolution_noise_mode": "const"}),
        ("no_importance/", {"depth_resolution_importance": 0}),
    ],
)
@torch.no_grad()
def test_other_settings(golden, name, prefix, rendering):
    network, _, arrays = _load(golden, name, **rendering)
    _compare(network(arrays["z"], arrays["c"], rand=_draws(network, arrays)), arrays, prefix)


@generators
@torch.no_grad()
def test_other_neural_resolutions(golden, name):
    description = load_json(golden / f"eg3d/{name}.json")
    for case in [key for key in description if re.fullmatch(r"nrr\d+", key)]:
        settings = {key: value for key, value in description[case].items() if key.startswith("depth_")}
        network, _, arrays = _load(golden, name, **settings)
        _check_resolution(case, network, arrays)


def _check_resolution(case: str, network: TriPlaneGenerator, arrays: dict[str, Tensor]) -> None:
    """Where nothing is resampled, the reference adds the first toRGB onto the rendering it returns; we do not."""
    between: list[Tensor] = []
    network.superresolution.block0.register_forward_hook(lambda _module, _inputs, out: between.append(out[1]))
    count = len(_strided(arrays, f"{case}/image")[1])
    draws = _draws(network, arrays, f"{case}/")
    resolution = int(case.removeprefix("nrr"))
    output = network(arrays["z"][:count], arrays["c"][:count], neural_rendering_resolution=resolution, rand=draws)
    _compare(output, arrays, f"{case}/")
    for kind, raw in {"clean": output.image_raw, "as_returned": between[0]}.items():
        step, ref = _strided(arrays, f"{case}/image_raw_{kind}")
        assert_close_golden(raw[:, :, ::step, ::step], ref, *EG3D, name=f"{case}/image_raw_{kind}")


@generators
@pytest.mark.parametrize("chunk", [None, 100])
def test_gradients(golden, name, chunk):
    network, description, arrays = _load(golden, name)
    z = arrays["z"].requires_grad_()
    output = network(z, arrays["c"], noise_mode="const", rand=_draws(network, arrays), chunk=chunk)
    tile, side = arrays["grad_in/g_image_tile16"], output.image.shape[-1]
    upstream = tile.repeat(1, 1, side // tile.shape[-1], side // tile.shape[-1])
    objective = (output.image * upstream).sum()
    objective = objective + (output.image_raw * arrays["grad_in/g_image_raw"]).sum()
    objective = objective + (output.image_depth * arrays["grad_in/g_image_depth"]).sum()
    objective.backward()
    assert_close_golden(objective, arrays["grad_in/objective"], *EG3D, name="objective")
    norms = description["grad_norms"]
    assert z.grad is not None
    largest = max(norm or 0 for norm in norms.values())
    assert_close_golden(z.grad, arrays["grad_in/z"], 1e-3, 1e-4 * largest, "z")
    compare_gradients(network, arrays, "grad_in/grad/", norms)


class TestFork:
    """`g_*.lpff.*`: the same weights with LPFF's plane axes and average camera."""

    pytestmark = forks

    def _load(self, golden, fork: str, **rendering: Any):
        description = load_json(golden / f"eg3d/{fork}.json")
        name = description["uses_weights"].removeprefix("eg3d/").removesuffix(".weights.npz")
        network, _, arrays = _load(golden, name, **rendering)
        network.plane_axes = AXES[description["plane_axes"].split()[0]]
        assert network.neural_rendering_resolution == description["neural_rendering_resolution"]
        return network, arrays, load_npz(golden / f"eg3d/{fork}.io.npz")

    @torch.no_grad()
    def test_images_and_points(self, golden, fork):
        network, arrays, ref = self._load(golden, fork)
        _compare(network(arrays["z"], arrays["c"], rand=_draws(network, arrays)), ref, "")
        _check_truncated_points(network, arrays, ref)

    @torch.no_grad()
    @pytest.mark.parametrize("zero", [False, True])
    def test_average_camera(self, golden, fork, zero):
        """It replaces whatever camera is given, and wins over the zeros of `c_gen_conditioning_zero`."""
        network, arrays, ref = self._load(golden, fork, c_gen_conditioning_avg=True, c_gen_conditioning_zero=zero)
        seen = network.condition(arrays["c"])
        assert_close_golden(seen[:1], ref["average_camera"], 1e-5, 1e-6, "average_camera")
        for c in (arrays["c"], arrays["c_cond"]):
            assert_close_golden(network.mapping(arrays["z"], c), ref["ws_avgcam"], *NETWORK, name="ws_avgcam")
