"""Exported pipelines in plain diffusers: the same samples, bit by bit; and back again."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from facegen.checkpoint import network_config
from facegen.importers.pipelines import export_pipeline, load_pipeline
from facegen.importers.pipelines.write import Exported
from facegen.networks.diffusion.dit import DiT
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator
from tests.importers.pipelines.tiny import NUMBERS, prompted, tiny

STEPS, SEED, SCALES = 4, 5, (0.7, 0.4)
TOKENS = {"coefficients": NUMBERS}
FLOW: dict[str, Any] = {"objective": "flow", "shift": 2.0}
HEADS = {"head_channels": None, "num_heads": 4}
V: dict[str, Any] = {"objective": "v", "zero_terminal_snr": True}

MODELS: dict[str, Callable[[Path], LatentGenerator]] = {
    "vq": lambda _: tiny("vq"),
    "kl": lambda _: tiny(sampling={"sampler": "dpm++2m"}),
    "kl_flow": lambda _: tiny(process=FLOW, sampling={"sampler": "flow_euler"}),
    "tokens": lambda _: tiny(inputs=TOKENS),
    "tokens_v": lambda _: tiny(inputs=TOKENS, process=V, sampling={"sampler": "dpm++2m"}),
    "tokens_flow": lambda _: tiny(inputs=TOKENS, process=FLOW, sampling={"sampler": "flow_euler"}),
    "tokens_unipc": lambda _: tiny(inputs=TOKENS, sampling={"sampler": "unipc"}),
    "control": lambda _: tiny(inputs=TOKENS, controls=("mask",)),
    "controls": lambda _: tiny(inputs=TOKENS, controls=("a_mask", "b_render"), unet=HEADS),
    "controls_flow": lambda _: tiny(inputs=TOKENS, controls=("mask",), process=FLOW, sampling={"sampler": "flow_heun"}),
    "prompts": lambda root: tiny(inputs=prompted(root / "clip")),
}  # fmt: skip
PIPELINES = {"vq": "LDMPipeline", "kl": "LDMPipeline", "tokens": "StableDiffusionPipeline"}
PIPELINES["prompts"] = PIPELINES["tokens"]
PROMPTS = ["a young man", "man a"]
CONTROLLED = "StableDiffusionControlNetPipeline"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[LatentGenerator, Path, Exported]]:
    """Every model beside its pipeline, which a process without facegen has sampled from."""
    root = tmp_path_factory.mktemp("pipelines")
    found = {}
    for name, make in MODELS.items():
        model = make(root)
        written = export_pipeline(model, root / name)
        save_file(_inputs(model), root / name / "inputs.safetensors")
        asked = {"steps": STEPS, "seed": SEED, "guidance": [1.0, 3.0], "scales": SCALES}
        asked["prompts"] = PROMPTS if name == "prompts" else None
        (root / name / "asked.json").write_text(json.dumps(asked))
        found[name] = model, root / name, written
    folders = [str(folder) for _, folder, _ in found.values()]
    script = Path(__file__).with_name("plain.py")
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, script, *folders], check=True, env=plain, cwd=root, capture_output=True)
    return found


def _conditions(model: LatentGenerator) -> dict[str, Any]:
    if model.condition_names == ("caption",):
        return {"caption": PROMPTS}
    return {"coefficients": torch.randn(2, 5, generator=torch.Generator().manual_seed(1))}


def _hints(model: LatentGenerator) -> dict[str, torch.Tensor]:
    seeds = {name: torch.Generator().manual_seed(number) for number, name in enumerate(model.control_names)}
    return {name: torch.rand(2, 3, 32, 32, generator=generator) for name, generator in seeds.items()}


def _noise(model: LatentGenerator) -> torch.Tensor:
    return torch.randn(2, *model.latent_shape, generator=torch.Generator().manual_seed(SEED))


def _inputs(model: LatentGenerator) -> dict[str, torch.Tensor]:
    tokens = model.embed(_conditions(model), 2).tokens if model.conditioner else None
    hints = {f"hint.{name}": hint for name, hint in _hints(model).items()}
    return {"latents": _noise(model), **hints, **({} if tokens is None else {"tokens": tokens})}


@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_samples_are_the_same_bits(name: str, exported: dict[str, Any]) -> None:
    model, folder, written = exported[name]
    for guidance, theirs in load_file(folder / "outputs.safetensors").items():
        told: dict[str, Any] = (
            {"conditions": _conditions(model), "guidance": float(guidance)} if model.conditioner else {}
        )
        told |= {"hints": _hints(model), "control_scales": dict(zip(model.control_names, SCALES, strict=False))}
        ours = model(_noise(model).flatten(1), steps=STEPS, sampler=written.sampler, **told)
        assert torch.equal((ours / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1), theirs)
        assert theirs.std() > 0.05


@pytest.mark.parametrize("name", MODELS)
def test_pipelines_and_back(name: str, exported: dict[str, Any]) -> None:
    model, folder, written = exported[name]
    assert written.pipeline == (CONTROLLED if "control" in name else PIPELINES[name.split("_")[0]])
    assert (written.sampler == model.sampling.sampler) == (name not in ("kl_flow", "controls_flow"))
    again: Any = load_pipeline(folder)
    found, expected = again.state_dict(), model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert again.process.settings == model.process.settings and again.sampling == model.sampling
    assert again.control_names == model.control_names and again.condition_names == model.condition_names
    text = (folder / "README.md").read_text()
    assert written.pipeline in text and f'from_pretrained("{name}")' in text


@pytest.mark.parametrize("name", ["kl", "tokens_v", "tokens_flow", "control"])
def test_a_pipeline_of_others_has_no_files_of_facegen(name: str, exported: dict[str, Any]) -> None:
    """The same networks, process and sampler from what diffusers alone would have written."""
    model, folder, written = exported[name]
    own = folder / "facegen.json"
    own.rename(folder / "kept.json")
    try:
        again: Any = load_pipeline(folder, text_encoder=None)
    finally:
        (folder / "kept.json").rename(own)
    assert again.sampling.sampler == written.sampler
    settings = ("objective", "schedule", "zero_terminal_snr", "shift")
    flow = model.process.objective == "flow"
    for setting in (*settings, *(() if flow else ("beta_start", "beta_end"))):
        assert again.process.settings[setting] == model.process.settings[setting]
    expected = model.state_dict()
    same = [key for key in again.state_dict() if key.startswith(("denoiser.", "first_stage."))]
    assert same and all(torch.equal(again.state_dict()[key], expected[key]) for key in same)


def _with_dit() -> LatentGenerator:
    stage = FirstStage("kl", 32, 3, (32, 32, 64), 1, 16)
    return LatentGenerator(network_config(stage), network_config(DiT(3, size=8, width=32, depth=1, heads=2)))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "vectors": (lambda: tiny(inputs={"camera": {"kind": "numbers", "size": 25}}), "camera reach the denoiser as a"),
    "vq with conditions": (lambda: tiny("vq", inputs=TOKENS), "this first stage is of kind vq"),
    "controls without tokens": (lambda: tiny(controls=("mask",)), "mask control a UNet without tokens"),
    "only the middle": (lambda: tiny(inputs=TOKENS, controls=("mask",), control={"only_mid": True}), "only_mid"),
    "a transformer": (_with_dit, "DiT, of which diffusers has no class"),
    "no diffusion": (lambda: torch.nn.Linear(1, 1), "got a Linear"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_diffusers_cannot_hold(name: str, tmp_path: Path) -> None:
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        export_pipeline(make(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(ValueError, match="exists and is not empty"):
        export_pipeline(tiny(), tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]


def test_a_crash_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("facegen.importers.pipelines.write.write_conditioning", full)
    with pytest.raises(OSError, match="No space"):
        export_pipeline(tiny(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
