"""The stored network pickles: every tensor to the bit, outputs, and hostile files."""

import hashlib
import os
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from facegen.importers import nvidia
from facegen.networks.eg3d import ImagePair
from facegen.rendering.volume import plane_axes
from tests.golden import NETWORK, assert_close_golden, golden_root, load_json, load_npz, missing_reason
from tests.rendering.volume.recorded import Draws

pytestmark = pytest.mark.parity


def _listed(relative, key=None):
    """Names in a JSON dictionary as parameters."""
    path = golden_root() / "pickles" / relative
    if not path.exists():
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=missing_reason()))]
    return list(load_json(path)[key] if key else load_json(path))


genuine = pytest.mark.parametrize("stem", _listed("pickles.json"))


def _family(golden: Path, stem: str) -> Path:
    """Prefix of the expectations: `sg2_legacy_p3` and `sg2_modern_p4` share those of `sg2`."""
    (found,) = [
        path.with_name(path.name.removesuffix(".expected.json"))
        for path in (golden / "pickles").glob("*.expected.json")
        if stem.startswith(path.name.removesuffix(".expected.json") + "_")
    ]
    return found


def _sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.detach().contiguous().numpy().tobytes()).hexdigest()


def _check_tensors(tensors: dict[str, Tensor], expected) -> None:
    assert set(tensors) == set(expected)
    for name, record in expected.items():
        assert list(tensors[name].shape) == record["shape"], name
        assert str(tensors[name].dtype) == f"torch.{record['dtype']}", name
        assert _sha256(tensors[name]) == record["sha256"], name


@genuine
def test_contents_as_data(golden, stem):
    expected = load_json(Path(f"{_family(golden, stem)}.expected.json"))
    contents = nvidia.read_pickle(golden / "pickles" / f"{stem}.pkl")
    assert contents["training_set_kwargs"] == expected["training_set_kwargs"]
    assert set(expected["networks"]) <= set(contents)
    for name, record in expected["networks"].items():
        module = contents[name]
        assert (module.class_name, module.init_kwargs) == (record["class_name"], record["init_kwargs"])
        assert module.state["training"] == record["training"]
        assert list(module.parameters()) == record["parameters"]
        assert list(module.buffers()) == record["buffers"]
        _check_tensors({**module.parameters(), **module.buffers()}, record["tensors"])


@genuine
def test_attributes_that_inference_reads(golden, stem):
    expected = load_json(Path(f"{_family(golden, stem)}.expected.json"))
    contents = nvidia.read_pickle(golden / "pickles" / f"{stem}.pkl")
    for name, record in expected["networks"].items():
        for attribute in ("neural_rendering_resolution", "rendering_kwargs"):
            if attribute in record:
                assert contents[name].state[attribute] == record[attribute]
        if "renderer_plane_axes" in record:
            axes = contents[name].child("renderer").state["plane_axes"]
            assert axes.tolist() == record["renderer_plane_axes"]


@genuine
def test_networks(golden, stem):
    family = _family(golden, stem)
    expected = load_json(Path(f"{family}.expected.json"))["networks"]
    path = golden / "pickles" / f"{stem}.pkl"
    loaded = nvidia.load_pickle(path)
    for name, record in expected.items():
        network = loaded[name]
        assert isinstance(network, nvidia.NETWORK_CLASSES[record["class_name"]])
        assert network.training == record["training"]
        _check_tensors(network.state_dict(), record["tensors"])
        _check_attributes(network, record)
    arrays = load_npz(Path(f"{family}.expected.npz"))
    check = _check_eg3d_outputs if "image_depth" in arrays else _check_stylegan2_outputs
    check(loaded, arrays)


def _check_attributes(network, record) -> None:
    """What inference reads beside tensors, where a network has such."""
    for attribute in ("neural_rendering_resolution", "rendering_kwargs"):
        if attribute in record:
            assert getattr(network, attribute) == record[attribute]
    if "renderer_plane_axes" in record:
        assert plane_axes(network.plane_axes).tolist() == record["renderer_plane_axes"]


@torch.no_grad()
def _check_eg3d_outputs(loaded, ref: dict[str, Tensor]) -> None:
    average, draws = loaded["G_ema"], Draws(ref[f"draw/{name}"] for name in ("stratified_rand", "importance_u"))
    output = average(ref["z"], ref["c"], noise_mode="const", rand=draws)
    compared = set()
    for key, expected in ref.items():
        if match := re.fullmatch(r"(image|image_raw|image_depth)(?:\.s(\d+))?", key):
            step = int(match[2] or 1)
            assert_close_golden(getattr(output, match[1])[:, :, ::step, ::step], expected, 1e-4, 0, key)
            compared.add(match[1])
    assert compared == {"image", "image_raw", "image_depth"}
    tile, side = ref["d_img_tile"], loaded["D"].img_resolution
    pair = ImagePair(tile.repeat(1, 1, side // tile.shape[2], side // tile.shape[3]), ref["d_raw"])
    logits = loaded["D"](pair, ref["d_c"])
    assert_close_golden(logits, ref["logits"], *NETWORK, name="logits")
    assert_close_golden(logits, ref["logits"], 0, 1e-5, "logits, absolute")


@torch.no_grad()
def _check_stylegan2_outputs(loaded, ref: dict[str, Tensor]) -> None:
    average, call = loaded["G_ema"], {"noise_mode": "const", "force_fp32": True}
    assert_close_golden(average.mapping(ref["z"], ref["c"]), ref["ws"], *NETWORK, name="ws")
    assert_close_golden(average(ref["z"], ref["c"], **call), ref["image_psi1"], *NETWORK, name="psi 1")
    truncated = average(ref["z"], ref["c"], truncation_psi=0.7, **call)
    assert_close_golden(truncated, ref["image_psi07"], *NETWORK, name="psi 0.7")
    assert_close_golden(loaded["G"](ref["z"], ref["c"], **call), ref["image_G"], *NETWORK, name="G")
    logits = loaded["D"](ref["d_img"], ref["d_c"], force_fp32=True)
    assert_close_golden(logits, ref["logits"], *NETWORK, name="logits")
    assert_close_golden(logits, ref["logits"], 0, 1e-5, "logits, absolute")


@pytest.mark.parametrize("name", _listed("malicious.json", "files"))
@pytest.mark.parametrize("reader", [nvidia.load_pickle, nvidia.read_pickle])
def test_hostile_files_do_nothing(golden, name, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = golden / "pickles" / name
    if "module_src" in name:  # only its source code is hostile, and nobody reads that
        reader(path)
    else:
        with pytest.raises(ValueError) as caught:
            reader(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    assert os.listdir(tmp_path) == []
