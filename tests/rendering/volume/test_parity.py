"""Rays, planes, samples and compositing against the reference implementation: values and gradients."""

import re

import pytest
import torch
from torch import Tensor

from facegen.rendering import volume
from facegen.rendering.volume import Rays, camera_rays, march, project_onto_planes, render, renderer, sample_planes
from tests.golden import FIRST_ORDER, assert_close_golden, golden_cases, gradients, group, load_json, load_npz
from tests.rendering.volume.recorded import AXES

pytestmark = pytest.mark.parity


def _close(yours: Tensor, ref: Tensor, name: str) -> None:
    assert_close_golden(yours, ref, *FIRST_ORDER, name=name)


def _named(arrays: dict[str, Tensor], pattern: str) -> dict[str, str]:
    """Whole keys by their first group; at least one must match."""
    found = {match[1]: match[0] for key in arrays if (match := re.fullmatch(pattern, key))}
    assert found
    return found


class TestRays:
    """`rays.npz`."""

    def test_camera_rays(self, golden):
        arrays = load_npz(golden / "eg3d/rays.npz")
        for name in _named(arrays, r"res(\d+)/origins"):
            rays = camera_rays(arrays["cam2world"], arrays["intrinsics"], int(name))
            _close(rays.origins, arrays[f"res{name}/origins"], f"origins {name}")
            _close(rays.directions, arrays[f"res{name}/dirs"], f"directions {name}")

    def test_box_intersection(self, golden):
        arrays = load_npz(golden / "eg3d/rays.npz")
        by_count = {
            arrays[key].shape[:2]: Rays(arrays[key], arrays[f"res{name}/dirs"])
            for name, key in _named(arrays, r"res(\d+)/origins").items()
        }
        for side in _named(arrays, r"box([\d.]+)/tmin"):
            near, far = (arrays[f"box{side}/{name}"] for name in ("tmin", "tmax"))
            found = volume.box_intersection(by_count[near.shape[:2]], float(side))
            _close(found[0], near, f"near {side}")
            _close(found[1], far, f"far {side}")


def _axes(arrays: dict[str, Tensor], name: str) -> Tensor:
    """Ours where we have them by name, the stored ones otherwise."""
    return volume.plane_axes(AXES[name]) if name in AXES else arrays[f"{name}/axes"]


class TestPlanes:
    """`planes.npz`."""

    def test_axes(self, golden):
        arrays = load_npz(golden / "eg3d/planes.npz")
        for name, key in _named(arrays, r"axes_(.+)").items():
            assert torch.equal(volume.plane_axes(AXES[name]), arrays[key])

    def test_projections(self, golden):
        arrays = load_npz(golden / "eg3d/planes.npz")
        for name, key in _named(arrays, r"(.+)/projected").items():
            projected = project_onto_planes(_axes(arrays, name), arrays["xyz"])
            _close(projected.flatten(0, 1), arrays[key], key)

    def test_features_and_gradients(self, golden):
        arrays = load_npz(golden / "eg3d/planes.npz")
        for case in _named(arrays, r"(.+/box.+)/features"):
            name, side = case.split("/box")
            planes, xyz = arrays["plane_features"].requires_grad_(), arrays["xyz"].requires_grad_()
            features = sample_planes(planes, xyz, _axes(arrays, name), float(side))
            _close(features, arrays[f"{case}/features"], case)
            grads = gradients((features * arrays[f"g/{side}"]).sum(), [planes, xyz])
            _close(grads[0], arrays[f"{case}/grad_planes"], f"{case}/grad_planes")
            _close(grads[1], arrays[f"{case}/grad_xyz"], f"{case}/grad_xyz")

    def test_mean_over_planes(self, golden):
        arrays = load_npz(golden / "eg3d/planes.npz")
        for case in _named(arrays, r"(.+/box.+)/features"):
            name, side = case.split("/box")
            features = volume.sample_triplane(arrays["plane_features"], arrays["xyz"], _axes(arrays, name), float(side))
            _close(features, arrays[f"{case}/features"].mean(dim=1), case)

    def test_grid_of_three_axes(self, golden):
        """We sample no volumes, but a trilinear sample is a linear one between bilinear samples of its slices."""
        arrays = group(load_npz(golden / "eg3d/planes.npz"), "grid3d/")
        slices, xyz = arrays["grid"].transpose(1, 2), arrays["xyz"]
        depth = slices.shape[1]
        on_slices = sample_planes(slices.expand(len(xyz), -1, -1, -1, -1), xyz, torch.eye(3).expand(depth, 3, 3), 2)
        places = (xyz[..., 2] + 1) * (depth / 2) - 0.5
        shares = (1 - (places[:, None] - torch.arange(depth)[:, None]).abs()).clamp_min(0)
        _close((on_slices * shares[..., None]).sum(dim=1), arrays["out"], "grid3d")


class TestSampling:
    """`sampling.npz`."""

    def test_stratified(self, golden):
        arrays, settings = load_npz(golden / "eg3d/sampling.npz"), load_json(golden / "eg3d/sampling.json")
        for name, key in _named(arrays, r"(stratified/.+)/depths").items():
            case = settings[name]
            near, far = ({**case, **group(arrays, f"{name}/")}[end] for end in ("ray_start", "ray_end"))
            uniform = arrays[f"{name}/rand"][..., 0]
            depths = volume.sample_stratified(near, far, uniform, case["disparity_space_sampling"])
            assert depths.shape[-1] == case["depth_resolution"]
            _close(depths[..., None], arrays[key], name)

    def test_importance(self, golden):
        arrays = load_npz(golden / "eg3d/sampling.npz")
        for name, key in _named(arrays, r"(importance.*)/depths").items():
            depths, weights = arrays[f"{name}/z_vals"][..., 0], arrays[f"{name}/weights"][..., 0]
            uniform = arrays[f"{name}/u"].unflatten(0, depths.shape[:2])
            _close(volume.sample_importance(depths, weights, uniform)[..., None], arrays[key], name)

    def test_inverted_distribution(self, golden):
        arrays = load_npz(golden / "eg3d/sampling.npz")
        for name in _named(arrays, r"(pdf.*)/samples"):
            bins, weights, uniform = (arrays[f"{name}/{key}"] for key in ("bins", "weights", "u"))
            _close(volume.sample_pdf(bins, weights, uniform), arrays[f"{name}/samples"], name)
            even = torch.linspace(0, 1, arrays[f"{name}/det_samples"].shape[-1]).expand(len(bins), -1)
            _close(volume.sample_pdf(bins, weights, even), arrays[f"{name}/det_samples"], f"{name}, even")

    @pytest.mark.parametrize("chunk", [None, 1])
    def test_merging(self, golden, monkeypatch, chunk):
        """The reference sorts both sets of samples together; rendering two passes must equal marching those."""
        arrays = group(load_npz(golden / "eg3d/sampling.npz"), "unify/")
        passes = [[arrays[f"{name}{i}"] for name in ("depths", "colors", "densities")] for i in (1, 2)]
        rays = arrays["depths1"].shape[1]
        parts = [slice(start, start + (chunk or rays)) for start in range(0, rays, chunk or rays)]
        shown = [[value[:, part] for value in one] for part in parts for one in passes]
        depths = iter([depth[..., 0] for depth, _, _ in shown])
        looks = iter([volume.Field(color.flatten(1, 2), sigma.flatten(1, 2)) for _, color, sigma in shown])
        monkeypatch.setattr(renderer, "sample_stratified", lambda *_: next(depths))
        monkeypatch.setattr(renderer, "sample_importance", lambda *_: next(depths))
        options = volume.VolumeOptions(
            depth_resolution=arrays["depths1"].shape[2], depth_resolution_importance=arrays["depths2"].shape[2]
        )
        still = Rays(*torch.ones(2, len(arrays["depths1"]), rays, 3))
        got = render(lambda _: next(looks), still, options, chunk=chunk)
        color, depth, weights = march(arrays["colors"], arrays["densities"][..., 0], arrays["depths"][..., 0])
        _close(got.features, color, "colors")
        _close(got.depth, depth, "depth")
        _close(got.opacity, weights.sum(-1, keepdim=True), "opacity")


@pytest.mark.parametrize("case", golden_cases("eg3d/raymarch.json"))
def test_marching(golden, case):
    arrays = load_npz(golden / "eg3d/raymarch.npz")
    ref = group(arrays, f"{case['case']}/")
    colors, sigma = arrays["colors"].requires_grad_(), arrays["densities"].requires_grad_()
    white_back = case["rendering_options"].get("white_back", False)
    color, depth, weights = march(colors, sigma[..., 0], arrays["depths"][..., 0], white_back)
    _close(color, ref["rgb"], "rgb")
    _close(depth, ref["depth"], "depth")
    _close(weights[..., None], ref["weights"], "weights")
    scalar = (color * arrays["g_rgb"]).sum() + (weights[..., None] * arrays["g_w"]).sum()
    grads = gradients(scalar, [colors, sigma])
    _close(grads[0], ref["grad_colors"], "grad_colors")
    _close(grads[1], ref["grad_densities"], "grad_densities")
