"""Whole renderings of small planes through the reference's decoder: values and gradients."""

from typing import Any

import pytest
from torch import Tensor

from facegen.networks.eg3d import OSGDecoder
from facegen.rendering.volume import Rays, Rendering, VolumeOptions, plane_axes, render, sample_triplane
from tests.golden import FIRST_ORDER, assert_close_golden, gradients, group, load_json, load_npz
from tests.rendering.volume.recorded import AXES, Draws

pytestmark = pytest.mark.parity


def _decoder(arrays: dict[str, Tensor]) -> OSGDecoder:
    weights = group(arrays, "decoder/")
    decoder = OSGDecoder(weights["net.0.weight"].shape[1], len(weights["net.2.bias"]) - 1)
    decoder.load_state_dict(weights, strict=True)
    return decoder


def _render(arrays: dict[str, Tensor], planes: Tensor, case: dict[str, Any], axes: str, chunk: int | None) -> Rendering:
    """`planes` seen with a case's options and recorded draws."""
    decoder, options = _decoder(arrays), VolumeOptions.of(case["rendering_options"])

    def field(points: Tensor):
        return decoder(sample_triplane(planes, points, plane_axes(AXES[axes]), options.box_warp))

    draws = Draws(arrays[f"{case['case']}/draw/{name}"] for name in case["draws"])
    seen = render(field, Rays(arrays["origins"], arrays["dirs"]), options, draws, draws, chunk)
    assert not draws.left
    return seen


def _compare(arrays: dict[str, Tensor], case: dict[str, Any], name: str, axes: str, chunk: int | None) -> None:
    ref, planes = group(arrays, f"{name}/"), arrays["planes"].requires_grad_()
    seen = _render(arrays, planes, case, axes, chunk)
    assert_close_golden(seen.features, ref["rgb"], *FIRST_ORDER, name=f"{name}/rgb")
    assert_close_golden(seen.depth, ref["depth"], *FIRST_ORDER, name=f"{name}/depth")
    assert_close_golden(seen.opacity, ref["weights_sum"], *FIRST_ORDER, name=f"{name}/weights_sum")
    if "grad_planes" in ref:
        (grad,) = gradients((seen.features * arrays["g_rgb"]).sum(), [planes])
        assert_close_golden(grad[:, :, ::4], ref["grad_planes"], *FIRST_ORDER, name=f"{name}/grad_planes")


@pytest.mark.parametrize("chunk", [None, 7])
def test_rendering(golden, chunk):
    arrays = load_npz(golden / "eg3d/renderer.npz")
    cases = {case["case"]: case for case in load_json(golden / "eg3d/renderer.json")}
    recorded = [key.removesuffix("/rgb") for key in arrays if key.endswith("/rgb")]
    assert set(cases) <= set(recorded)
    for name in recorded:
        if name in cases:
            _compare(arrays, cases[name], name, cases[name]["plane_axes"], chunk)
        else:  # the draws of another case, seen through other axes: ffhq12_lpff_axes
            original, _, axes = name.removesuffix("_axes").rpartition("_")
            _compare(arrays, cases[original], name, axes, chunk)
