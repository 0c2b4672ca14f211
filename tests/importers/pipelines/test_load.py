"""Folders of diffusers: components alone, former names, parts, and what is refused by the name of the setting."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from facegen.importers.pipelines import export_pipeline, is_pipeline_folder, load_pipeline
from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator
from facegen.networks.diffusion.unet import UNet
from tests.importers.pipelines.tiny import NUMBERS, tiny

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def model() -> LatentGenerator:
    return tiny(inputs={"coefficients": NUMBERS}, controls=("mask",))


@pytest.fixture(scope="module")
def original(model: LatentGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "p"
    export_pipeline(model, folder)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "p"))


def amend(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def equal(found: torch.nn.Module, expected: torch.nn.Module) -> None:
    ours, theirs = found.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(ValueError) as caught:
        load_pipeline(folder, **options)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    return str(caught.value)


def test_components(model: LatentGenerator, original: Path) -> None:
    for name, kind, expected in (
        ("unet", UNet, model.denoiser),
        ("vae", FirstStage, model.first_stage),
        ("controlnet", ControlBranch, model.controls["mask"]),
    ):
        assert is_pipeline_folder(original / name)
        found = load_pipeline(original / name)
        assert isinstance(found, kind)
        equal(found, expected)
    assert not is_pipeline_folder(original.parent)
    assert "it is a scheduler" in refused(original / "scheduler")


def test_a_branch_is_attached_to_a_base(model: LatentGenerator, original: Path) -> None:
    found: Any = load_pipeline(original / "controlnet", base=model, name="sketch")
    assert found.control_names == ("mask", "sketch")
    equal(found.controls["sketch"], model.controls["mask"])
    equal(found.denoiser, model.denoiser)
    assert "has a control called mask" in refused(original / "controlnet", base=model, name="mask")
    assert "expected a latent diffusion model" in refused(original / "controlnet", base=model.denoiser)
    assert "the control x is of a UNet with" in refused(original / "controlnet", base=tiny(), name="x")


def test_former_names_of_attention(model: LatentGenerator, folder: Path) -> None:
    weights, former = load_file(folder / "vae" / WEIGHTS), {"to_q": "query", "to_k": "key", "to_v": "value"}
    renamed = {}
    for name, tensor in weights.items():
        for new, old in {**former, "to_out.0": "proj_attn"}.items():
            name = name.replace(f".{new}.", f".{old}.") if ".attentions." in name else name
        renamed[name] = tensor
    assert renamed.keys() != weights.keys()
    save_file(renamed, folder / "vae" / WEIGHTS)
    equal(load_pipeline(folder), model)


def test_weights_in_several_files_and_pickled(model: LatentGenerator, folder: Path) -> None:
    weights = load_file(folder / "unet" / WEIGHTS)
    (folder / "unet" / WEIGHTS).unlink()
    halves = list(weights)[::2], list(weights)[1::2]
    files = {name: f"part{number}.safetensors" for number, names in enumerate(halves) for name in names}
    for number, names in enumerate(halves):
        save_file({name: weights[name] for name in names}, folder / "unet" / f"part{number}.safetensors")
    index = folder / "unet" / f"{WEIGHTS}.index.json"
    index.write_text(json.dumps({"weight_map": files}))
    torch.save(load_file(folder / "vae" / WEIGHTS), folder / "vae" / WEIGHTS.replace("safetensors", "bin"))
    (folder / "vae" / WEIGHTS).unlink()
    equal(load_pipeline(folder), model)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(files, "../vae/part.safetensors")}))
    assert "expected one beside it" in refused(folder)


SETTINGS: list[tuple[str, dict[str, Any], str]] = [
    ("unet/config.json", {"addition_embed_type": "text_time"}, "addition_embed_type=text_time"),
    ("unet/config.json", {"resnet_time_scale_shift": "scale_shift"}, "resnet_time_scale_shift=scale_shift"),
    ("unet/config.json", {"down_block_types": ["DownBlock2D", "SimpleCrossAttnDownBlock2D"]}, "down_block_types"),
    ("unet/config.json", {"cross_attention_dim": [24, 48]}, "cross_attention_dim"),
    ("unet/config.json", {"attention_head_dim": [1, 4, 2]}, "attention_head_dim"),
    ("unet/config.json", {"act_fn": "gelu"}, "act_fn=gelu"),
    ("unet/config.json", {"_class_name": "SD3Transformer2DModel"}, "SD3Transformer2DModel"),
    ("unet/config.json", {"block_out_channels": None}, "block_out_channels"),
    ("unet/config.json", {"block_out_channels": [32, 128]}, "expected"),
    ("vae/config.json", {"shift_factor": 0.1}, "shift_factor=0.1"),
    ("vae/config.json", {"latent_channels": 16}, "expected 16, as the first stage"),
    ("vae/config.json", {"_class_name": "AutoencoderTiny"}, "AutoencoderTiny"),
    ("controlnet/config.json", {"global_pool_conditions": True}, "global_pool_conditions=True"),
    ("controlnet/config.json", {"controlnet_conditioning_channel_order": "bgr"}, "channel_order=bgr"),
    ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}, "StableDiffusionXLPipeline"),
    ("model_index.json", {"../../secret": ["diffusers", "UNet2DModel"]}, "'../../secret'"),
    ("model_index.json", {"vae": [None, None]}, "expected a unet, a vae or vqvae"),
    ("facegen.json", {"format": 9}, "has format 9, expected 1"),
    ("facegen.json", {"conditioner": {"_target_": "os.system"}}, "none of facegen's"),
]


@pytest.mark.parametrize(("name", "changes", "message"), SETTINGS)
def test_settings_that_facegen_has_not(folder: Path, name: str, changes: dict[str, Any], message: str) -> None:
    amend(folder / name, **changes)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction_type": "sample"}, "prediction_type=sample"),
        ({"beta_schedule": "sigmoid"}, "beta_schedule=sigmoid"),
        ({"trained_betas": [0.1, 0.2]}, "trained_betas"),
    ],
)
def test_schedulers_that_facegen_has_not(folder: Path, changes: dict[str, Any], message: str) -> None:
    (folder / "facegen.json").unlink()
    amend(folder / "scheduler" / "scheduler_config.json", **changes)
    assert message in refused(folder)


def test_folders_that_are_not_whole(folder: Path) -> None:
    (folder / "unet" / WEIGHTS).write_bytes((folder / "unet" / WEIGHTS).read_bytes()[:-5])
    assert "not a whole file of safetensors" in refused(folder)
    (folder / "unet" / WEIGHTS).unlink()
    assert f"has no {WEIGHTS}" in refused(folder)
    (folder / "unet" / "config.json").write_text("{")
    assert "not readable JSON" in refused(folder)
    (folder / "unet" / "config.json").unlink()
    assert "cannot be read" in refused(folder)
