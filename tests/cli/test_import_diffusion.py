"""Latent diffusion of others on the command line: imported, attached, sampled from, exported, refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

import facegen as library
from facegen.checkpoint import network_config, save_network
from facegen.networks.diffusion.conditioner import Conditioner
from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.generator import LatentGenerator
from tests.cli.conftest import Facegen
from tests.importers.published import (
    checkpoint_of,
    config_of,
    latent_diffusion,
    published,
    randomised,
    save,
    unet_params,
)

STEPS = "steps=2"


@pytest.fixture
def compvis(tmp_path: Path) -> Path:
    """A `.ckpt` with its configuration beside it."""
    model = latent_diffusion()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_of(model)))
    return save(tmp_path / "model.ckpt", checkpoint_of(model))


def _grid(folder: Path) -> np.ndarray:
    return np.asarray(Image.open(folder / "grid.png"))


def test_imported_exported_and_direct_use_give_the_same_pictures(
    facegen: Facegen, compvis: Path, tmp_path: Path
) -> None:
    status, text, _ = facegen("import", f"checkpoint={compvis}", f"out={tmp_path / 'imported'}")
    assert status == 0 and "LatentGenerator, 32 pixels, no conditions" in text
    status, text, _ = facegen(
        "export", f"checkpoint={tmp_path / 'imported'}", f"out={tmp_path / 'pipeline'}", "format=diffusers"
    )
    assert status == 0 and "LDMPipeline with ddim" in text
    for source, name in ((compvis, "a"), (tmp_path / "imported", "b"), (tmp_path / "pipeline", "c")):
        assert facegen("generate", f"checkpoint={source}", "seeds=0-1", f"outdir={tmp_path / name}", STEPS)[0] == 0
    assert np.array_equal(_grid(tmp_path / "a"), _grid(tmp_path / "b"))
    assert np.array_equal(_grid(tmp_path / "a"), _grid(tmp_path / "c"))


def test_a_control_branch_alone_is_attached_to_a_base(facegen: Facegen, refused, tmp_path: Path) -> None:
    inputs = {"context": {"kind": "tokens", "size": 8, "tokens": 77}}
    shape = {"token_dim": 8, "head_channels": None, "num_heads": 4, "linear_projection": True}
    base = latent_diffusion(unet=shape, conditioner=network_config(Conditioner(inputs, 8)))
    branch = randomised(ControlBranch(base.denoiser.init_kwargs, hint_channels=1, hint_widths=(8, 16)))
    save_network(base, tmp_path / "base")
    path = tmp_path / "control.pth"
    torch.save({f"control_model.{name}": tensor.half() for name, tensor in published(branch, 4).items()}, path)
    params = {"control_stage_config": {"params": unet_params(base.denoiser)}}
    (tmp_path / "cldm.yaml").write_text(yaml.safe_dump({"model": {"params": params}}))
    words = ("import", f"checkpoint={path}", f"config={tmp_path / 'cldm.yaml'}")
    status, text, _ = facegen(*words, f"out={tmp_path / 'alone'}")
    assert status == 0 and "ControlBranch, hints of 1 channels" in text
    status, text, _ = facegen(*words, f"out={tmp_path / 'both'}", f"base={tmp_path / 'base'}", "name=mask")
    assert status == 0 and "context, mask" in text
    both = library.load(tmp_path / "both")
    assert isinstance(both, LatentGenerator) and both.control_names == ("mask",)
    for name, tensor in branch.state_dict().items():
        assert torch.equal(both.controls["mask"].state_dict()[name], tensor.half().float()), name
    assert "expected a latent diffusion model" in refused(*words, "out=x", f"base={tmp_path / 'alone'}")
    assert "expected a generator" in refused("generate", f"checkpoint={tmp_path / 'alone'}", "seeds=0")


def test_mistakes(refused, compvis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("import", f"checkpoint={compvis}", "out=out")
    assert "average: got 3" in refused(*words, "average=3")
    assert "name: got '1 2'" in refused(*words, "name='1 2'")
    assert "absent.yaml" in refused(*words, "config=absent.yaml")
    assert "format: got 'onnx'" in refused("export", f"checkpoint={compvis}", "out=out", "format=onnx")
    save_file({"lora_unet_down.lora_up.weight": torch.zeros(2, 2)}, tmp_path / "lora.safetensors")
    assert "LoRA" in refused("import", "checkpoint=lora.safetensors", "out=out")
    compvis.write_bytes(compvis.read_bytes()[:1000])
    assert "not a whole file" in refused(*words) and "not a whole file" in refused("generate", f"checkpoint={compvis}")
    (tmp_path / "escaping").mkdir()
    index = {"_class_name": "LDMPipeline", "../unet": ["diffusers", "UNet2DModel"]}
    (tmp_path / "escaping" / "model_index.json").write_text(json.dumps(index))
    assert "names the component '../unet'" in refused("import", "checkpoint=escaping", "out=out")
    assert not (tmp_path / "out").exists()


def test_diffusers_has_no_place_for_other_networks(refused, export: Path, tmp_path: Path) -> None:
    answer = refused("export", f"checkpoint={export}", f"out={tmp_path / 'o'}", "format=diffusers")
    assert "got a Generator" in answer and "use format=facegen" in answer
