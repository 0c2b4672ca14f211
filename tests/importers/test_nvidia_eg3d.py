"""EG3D's and LPFF's pickles: attributes beside the tensors, hostile settings, and the way to our format and back."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import facegen
from facegen import cli
from facegen.geometry import cameras
from facegen.importers.nvidia import build_network, load_pickle
from facegen.networks.eg3d import (
    DualDiscriminator,
    DummyDualDiscriminator,
    ImagePair,
    SingleDiscriminator,
    TriPlaneGenerator,
)
from facegen.rendering.volume import PLANE_AXES, plane_axes
from tests.importers import pickle_writer as write

RENDERING: dict[str, Any] = {
    **{"superresolution_module": "training.superresolution.SuperresolutionHybrid2X", "image_resolution": 128},
    **{"disparity_space_sampling": False, "clamp_mode": "softplus", "box_warp": 1, "ray_start": 2.25, "ray_end": 3.3},
    **{"depth_resolution": 4, "depth_resolution_importance": 4, "c_scale": 1.0, "decoder_lr_mul": 1.0},
    **{"superresolution_noise_mode": "none", "sr_antialias": True, "c_gen_conditioning_zero": False},
    **{"avg_camera_radius": 2.7, "avg_camera_pivot": [0, 0, 0.2], "gpc_reg_prob": 0.5, "reg_type": "l1"},
}
ARGUMENTS: dict[str, Any] = {
    **{"z_dim": 4, "c_dim": 25, "w_dim": 8, "img_resolution": 128, "img_channels": 3, "sr_num_fp16_res": 4},
    **{"channel_base": 512, "channel_max": 4, "num_fp16_res": 0, "conv_clamp": None},
    **{"fused_modconv_default": "inference_only", "mapping_kwargs": {"num_layers": 1}},
    "sr_kwargs": {"channel_base": 32768, "channel_max": 512, "fused_modconv_default": "inference_only"},
    "rendering_kwargs": RENDERING,
}
LPFF = "xy_xz_zy"


def _renderer(axes: Tensor | None) -> bytes:
    """The renderer as snapshots hold it: a plain module whose plane axes are an attribute."""
    state = {"training": False, "_parameters": {}, "_buffers": {}, "_modules": {}}
    if axes is not None:
        state["plane_axes"] = axes
    kind = write.name("training.volumetric_rendering.renderer", "ImportanceRenderer")
    return kind + b")\x81" + write.value(state) + b"b"


def _pickle(
    network: TriPlaneGenerator, axes: Tensor | None, arguments: dict[str, Any] = ARGUMENTS, **attributes: Any
) -> bytes:
    """A snapshot of a generator with LPFF's layout: attributes, the label buffer, and a renderer without tensors."""
    state = write.module_state(network)
    state["_buffers"] = {**state["_buffers"], "dataset_label_std": torch.linspace(0, 1, 25)}
    state["_modules"] = {**state["_modules"], "renderer": _renderer(axes)}
    state |= {"_init_args": (), "_init_kwargs": arguments, **attributes}
    return write.file({"G_ema": write.persistent("TriPlaneGenerator", state)})


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    torch.manual_seed(0)
    network = build_network("training.triplane.TriPlaneGenerator", (), ARGUMENTS)
    assert isinstance(network, TriPlaneGenerator)
    return network.eval()


@pytest.fixture
def lpff(generator, tmp_path) -> Path:
    path = tmp_path / "lpff.pkl"
    axes = plane_axes(LPFF)
    path.write_bytes(_pickle(generator, axes, neural_rendering_resolution=24, rendering_kwargs=RENDERING))
    return path


def _load(path: Path) -> TriPlaneGenerator:
    network = load_pickle(path)["G_ema"]
    assert isinstance(network, TriPlaneGenerator)
    return network


def _picture(network: TriPlaneGenerator) -> Tensor:
    seeded = torch.Generator().manual_seed(1)
    z, c = torch.randn(1, 4, generator=seeded), cameras.label(cameras.look_at(1.4, 1.5), cameras.pinhole_intrinsics())
    with torch.no_grad():
        return network(
            z, c, neural_rendering_resolution=16, rand=lambda shape, device=None: torch.rand(shape, generator=seeded)
        ).image_raw


class TestPlaneAxes:
    """They are read from the file."""

    @pytest.mark.parametrize("name", PLANE_AXES)
    def test_by_their_tensor(self, generator, tmp_path, name):
        path = tmp_path / "g.pkl"
        path.write_bytes(_pickle(generator, plane_axes(name)))
        assert _load(path).plane_axes == name

    def test_they_make_the_picture(self, generator, lpff, tmp_path):
        corrected = _picture(_load(lpff))
        generator.plane_axes = LPFF
        assert torch.equal(corrected, _picture(generator))
        generator.plane_axes = "xy_xz_zx"
        assert (corrected - _picture(generator)).abs().max() > 1e-3

    def test_files_that_do_not_say(self, generator, tmp_path):
        path = tmp_path / "g.pkl"
        path.write_bytes(_pickle(generator, None))
        assert _load(path).plane_axes == "xy_xz_zx"
        wrong = {**ARGUMENTS, "plane_axes": LPFF}  # no official argument: the file's tensors count
        path.write_bytes(_pickle(generator, None, wrong))
        assert _load(path).plane_axes == "xy_xz_zx"

    @pytest.mark.parametrize(
        "axes", [torch.eye(3).expand(3, 3, 3) * 2, torch.eye(3), torch.zeros(0), torch.full([3, 3, 3], torch.nan)]
    )
    def test_others(self, generator, tmp_path, axes):
        path = tmp_path / "g.pkl"
        path.write_bytes(_pickle(generator, axes))
        with pytest.raises(ValueError, match=r"plane_axes is .*expected the axes of xy_xz_zx or xy_xz_zy"):
            load_pickle(path)


class TestAttributes:
    """An attribute wins over the constructor argument."""

    def test_settings(self, generator, tmp_path):
        path = tmp_path / "g.pkl"
        changed = {**RENDERING, "depth_resolution": 9, "superresolution_noise_mode": "const", "avg_camera_radius": 1}
        path.write_bytes(_pickle(generator, None, neural_rendering_resolution=24, rendering_kwargs=changed))
        network = _load(path)
        assert network.rendering_kwargs == changed
        assert network.neural_rendering_resolution == 24
        assert network.options.depth_resolution == 9
        assert network.init_kwargs["rendering_kwargs"] == changed

    def test_what_only_constructors_read_stays(self, generator, tmp_path):
        path = tmp_path / "g.pkl"
        changed = {"superresolution_module": "training.superresolution.SuperresolutionHybrid8X", "box_warp": 1.5}
        path.write_bytes(_pickle(generator, None, rendering_kwargs=changed))
        assert _load(path).rendering_kwargs == {**RENDERING, "box_warp": 1.5}

    def test_settings_are_the_networks_own(self, lpff):
        first, second = _load(lpff), _load(lpff)
        first.rendering_kwargs["depth_resolution"] = 7
        assert second.rendering_kwargs["depth_resolution"] == RENDERING["depth_resolution"] == 4

    @pytest.mark.parametrize("side", [10**9, 0, "64", True, 64.0])
    def test_hostile_resolutions(self, generator, tmp_path, side):
        self._refuse(_pickle(generator, None, neural_rendering_resolution=side), tmp_path)

    @pytest.mark.parametrize(
        "change",
        [
            {"depth_resolution": 10**9},
            {"depth_resolution": 10**5},
            {"depth_resolution": 48.0},
            {"depth_resolution": -1},
            {"depth_resolution_importance": 10**9},
            {"depth_resolution_importance": None},
            {"box_warp": float("nan")},
            {"box_warp": "wide"},
            {"box_warp": 0},
            {"ray_start": "auto"},
            {"ray_start": "near", "ray_end": "far"},
            {"ray_end": float("inf")},
            {"clamp_mode": "relu"},
            {"avg_camera_pivot": [0.0] * 1000},
            {"avg_camera_pivot": torch.zeros(3)},
            {"image_resolution": 2**30},
            {"more": {"depth_resolution": 4}},
            {7: 1},
        ],
    )
    def test_hostile_settings(self, generator, tmp_path, change):
        settings = {**RENDERING, **change}
        self._refuse(_pickle(generator, None, rendering_kwargs=settings), tmp_path)
        self._refuse(_pickle(generator, None, {**ARGUMENTS, "rendering_kwargs": settings}), tmp_path)

    def test_settings_that_are_none(self, generator, tmp_path):
        self._refuse(_pickle(generator, None, rendering_kwargs=3), tmp_path)

    def _refuse(self, data: bytes, folder: Path) -> None:
        path = folder / "g.pkl"
        path.write_bytes(data)
        with pytest.raises(ValueError) as caught:
            load_pickle(path)
        assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(
    "change",
    [
        {"img_resolution": 2**18},
        {"img_resolution": 64},
        {"plane_resolution": 2**19},
        {"w_dim": 2**20},
        {"channel_base": 2**20, "channel_max": 2**20},
        {"sr_kwargs": {"kernel_size": 2**16}},
        {"sr_kwargs": {"channel_base": 2**30}},
        {"sr_kwargs": {"unknown": 1}},
        {"sr_kwargs": 3},
        {"mapping_kwargs": {"num_layers": 2**30}},
        {"mapping_kwargs": {"num_layers": 2**20}},
        {"neural_rendering_resolution": 10**6},
        {"img_resolution": 2**19, "rendering_kwargs": {**RENDERING, "superresolution_module": "tiny"}},
        {"rendering_kwargs": None},
        {"rendering_kwargs": {}},
        *(
            {"rendering_kwargs": {**RENDERING, **entry}}
            for entry in (
                {"superresolution_module": "tiny", "sr_antialias": False},
                {"superresolution_module": "os.system"},
                {"superresolution_module": 3},
                {"depth_resolution": 10**9},
                {"depth_resolution_importance": 2**30},
                {"decoder_lr_mul": "much"},
            )
        ),
    ],
)
def test_hostile_arguments(generator, tmp_path, change):
    path = tmp_path / "g.pkl"
    path.write_bytes(_pickle(generator, None, {**ARGUMENTS, **change}))
    with pytest.raises(ValueError) as caught:
        load_pickle(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


def test_hostile_arguments_by_position(generator, tmp_path):
    """Settings are also looked at where they are given without their names."""
    arguments = dict(ARGUMENTS)
    names = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "sr_num_fp16_res", "mapping_kwargs")
    positional = [arguments.pop(name) for name in (*names, "rendering_kwargs")]
    path = tmp_path / "g.pkl"
    path.write_bytes(_pickle(generator, None, arguments, _init_args=tuple(positional)))
    assert _load(path).rendering_kwargs == RENDERING
    positional[-1] = {**RENDERING, "depth_resolution": 10**9}
    path.write_bytes(_pickle(generator, None, arguments, _init_args=tuple(positional)))
    with pytest.raises(ValueError, match="depth_resolution=1000000000 is out of all proportion"):
        load_pickle(path)


def test_build_network_refuses_what_cannot_be_rendered():
    settings = {**RENDERING, "depth_resolution": 10**9}
    with pytest.raises(ValueError, match="depth_resolution=1000000000 is out of all proportion"):
        build_network("TriPlaneGenerator", (), {**ARGUMENTS, "rendering_kwargs": settings})


@pytest.mark.parametrize("kind", [DualDiscriminator, DummyDualDiscriminator, SingleDiscriminator])
def test_discriminators(kind, tmp_path):
    arguments = {
        **{"c_dim": 25, "img_resolution": 16, "img_channels": 3, "channel_base": 128, "channel_max": 8},
        **{"num_fp16_res": 4, "conv_clamp": 256, "disc_c_noise": 0, "block_kwargs": {"freeze_layers": 0}},
        **{"mapping_kwargs": {"num_layers": 1}, "epilogue_kwargs": {"mbstd_group_size": 2}},
    }
    network = build_network(f"training.dual_discriminator.{kind.__name__}", (), arguments)
    path = tmp_path / "d.pkl"
    stored = write.stored_module(network, _init_args=(), _init_kwargs=arguments, raw_fade=0.25)
    path.write_bytes(write.file({"D": stored}))
    again: Any = load_pickle(path)["D"]
    assert type(again) is kind
    pair, c = ImagePair(torch.randn(2, 3, 16, 16), torch.randn(2, 3, 8, 8)), torch.randn(2, 25)
    if isinstance(network, DummyDualDiscriminator):
        network.raw_fade = 0.25
    assert torch.equal(again(pair, c), network(pair, c))


def test_a_fade_that_is_none(tmp_path):
    network = build_network("DummyDualDiscriminator", (), {"img_resolution": 8, "channel_base": 32})
    path = tmp_path / "d.pkl"
    arguments = {"img_resolution": 8, "channel_base": 32}
    path.write_bytes(write.file({"D": write.stored_module(network, _init_kwargs=arguments, raw_fade="much")}))
    with pytest.raises(ValueError, match="raw_fade is much, expected a number from 0 to 1"):
        load_pickle(path)


def _check_journey(pickle: Path, folder: Path) -> TriPlaneGenerator:
    """`facegen import`, `facegen export` of that, and `facegen.load` keep the network that the pickle holds."""
    imported, exported = folder / "imported", folder / "exported"
    assert cli.main(("import", f"checkpoint={pickle}", f"out={imported}")) == 0
    assert cli.main(("export", f"checkpoint={imported}", f"out={exported}")) == 0
    original = _load(pickle)
    for path in (imported, exported):
        network = facegen.load(path)
        assert isinstance(network, TriPlaneGenerator) and not network.training
        for attribute in ("plane_axes", "neural_rendering_resolution", "rendering_kwargs", "init_kwargs"):
            assert getattr(network, attribute) == getattr(original, attribute), attribute
        state = network.state_dict()
        assert set(state) == set(original.state_dict()) and "dataset_label_std" in state
        assert all(torch.equal(tensor, state[name]) for name, tensor in original.state_dict().items())
        assert json.loads((path / "config.json").read_text())["network"]["plane_axes"] == original.plane_axes
    return original


def test_import_export_load(lpff, tmp_path):
    original = _check_journey(lpff, tmp_path)
    assert (original.plane_axes, original.neural_rendering_resolution) == (LPFF, 24)
    assert torch.equal(original.state_dict()["dataset_label_std"], torch.linspace(0, 1, 25))
    again = facegen.load(tmp_path / "exported")
    assert isinstance(again, TriPlaneGenerator)
    assert torch.equal(_picture(again), _picture(original))


@pytest.mark.parity
def test_import_export_load_of_the_stored_pickles(golden, tmp_path):
    found = sorted((golden / "pickles").glob("eg3d*.pkl"))
    assert found
    for path in found:
        _check_journey(path, tmp_path / path.stem)
