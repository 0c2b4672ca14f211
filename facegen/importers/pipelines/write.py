"""From our networks to a folder that `diffusers.DiffusionPipeline.from_pretrained` loads."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from facegen.diffusion.process import Process
from facegen.diffusion.sampling import scheduler
from facegen.importers.pipelines.card import model_card
from facegen.importers.pipelines.conditioning import write_conditioning
from facegen.importers.pipelines.folders import CONFIG, INDEX, SCHEDULER_CONFIG, read_json
from facegen.importers.pipelines.nothing import write_nothing
from facegen.networks.diffusion.generator import LatentGenerator
from facegen.networks.diffusion.unet import UNet

LDM, TEXT, CONTROL = "LDMPipeline", "StableDiffusionPipeline", "StableDiffusionControlNetPipeline"
_NOTHING = ("safety_checker", "feature_extractor", "image_encoder")
_FLOW_STEPS = ("flow_euler", "flow_heun")  # their schedulers lack a method that two of the pipelines call
_SIDE = 8  # StableDiffusionPipeline takes images whose sides are multiples of it


class Exported(NamedTuple):
    """The class of the pipeline that was written, and the sampler (by facegen's name) that it samples with."""

    pipeline: str
    sampler: str


def export_pipeline(network: nn.Module, out: str | Path) -> Exported:
    """Write a model as a pipeline of diffusers; samples of the same starting noise are the same, bit by bit.

    Without conditions an `LDMPipeline`; with tokens a `StableDiffusionPipeline`, whose `prompt_embeds` are what the
    conditioner gives (it is written beside it, and `load_pipeline` reads it back); with control branches a
    `StableDiffusionControlNetPipeline`. Appears whole or not at all.
    Raises ValueError for what diffusers has no class for, and where `out` exists.
    """
    kind = _pipeline_class(network)
    assert isinstance(network, LatentGenerator)
    sampler = network.sampling.sampler
    if sampler in _FLOW_STEPS and kind != TEXT:
        sampler = "dpm++2m"
    with _new_folder(Path(out)) as folder:
        _write_networks(network, folder, kind)
        _write_scheduler(network.process, sampler, folder / "scheduler")
        prompts = _text_encoder(network)
        texts = _write_texts(network, prompts, folder) if kind != LDM else {}
        _write_index(network, folder, kind, texts)
        write_conditioning(network, folder)
        card = model_card(network, kind, sampler, Path(out).name, prompts is not None)
        (folder / "README.md").write_text(card, encoding="utf-8")
    return Exported(kind, sampler)


def _pipeline_class(network: nn.Module) -> str:
    if not isinstance(network, LatentGenerator):
        raise ValueError(
            f"format: got a {type(network).__name__}, diffusers holds latent diffusion; use format=facegen"
        )
    refusal = _refusal(network)
    if refusal:
        raise ValueError(f"format: {refusal}; use format=facegen")
    if network.denoiser.token_dim == 0:
        return LDM
    return CONTROL if network.control_names else TEXT


def _refusal(network: Any) -> str | None:
    """Why diffusers cannot hold a model."""
    denoiser, stage = network.denoiser, network.first_stage
    if not isinstance(denoiser, UNet):
        return f"the denoiser is a {type(denoiser).__name__}, of which diffusers has no class with these conditions"
    if denoiser.init_kwargs["vector_dim"]:
        names = [name for name, given in network.conditioner.inputs.items() if given["form"] == "vector"]
        return f"{', '.join(names)} reach the denoiser as a vector, which no pipeline of diffusers passes on"
    if denoiser.token_dim == 0:
        names = ", ".join(network.control_names)
        return f"{names} control a UNet without tokens, for which diffusers has no ControlNet" if names else None
    if stage.kind == "vq":
        return "diffusers' pipelines with conditions decode with AutoencoderKL, and this first stage is of kind vq"
    if network.img_resolution % _SIDE:
        return f"images of {network.img_resolution} pixels, pipelines with conditions need a multiple of {_SIDE}"
    if names := [name for name, branch in network.controls.items() if branch.only_mid]:
        return f"{', '.join(names)} has only_mid, and diffusers' ControlNetModel adds to every level"
    return None


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder that becomes `out` when everything is in it."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"out: {out} exists and is not empty; choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    try:
        yield folder
        umask = os.umask(0)
        os.umask(umask)
        folder.chmod(0o777 & ~umask)
        os.replace(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_networks(network: LatentGenerator, folder: Path, kind: str) -> None:
    stage = folder / ("vqvae" if kind == LDM else "vae")
    network.first_stage.model.save_pretrained(stage)
    # The scale may have been measured in training, after the module was configured.
    _amend(stage / CONFIG, {"scaling_factor": float(network.first_stage.scaling_factor)})
    network.denoiser.model.save_pretrained(folder / "unet")
    _amend(folder / "unet" / CONFIG, {"sample_size": network.latent_shape[1]})
    for number, branch in enumerate(network.controls.values()):
        branch.model.save_pretrained(folder / ("controlnet" if number == 0 else f"controlnet_{number}"))


def _write_scheduler(process: Process, sampler: Any, folder: Path) -> None:
    scheduler(process, sampler).save_pretrained(folder)
    if sampler in _FLOW_STEPS:
        _amend(folder / SCHEDULER_CONFIG, {"init_noise_sigma": 1.0})  # asked for by pipelines, missing in the class
    else:
        _amend(folder / SCHEDULER_CONFIG, {"steps_offset": 1})  # pipelines complain of others; trailing steps ignore it


def _text_encoder(network: LatentGenerator) -> Path | None:
    """The folder of the encoder where prompts are all that the model is told, as Stable Diffusion is told them."""
    conditioner: Any = network.conditioner
    embeddings = [] if conditioner is None else list(conditioner.embeddings.values())
    encoder: Any = getattr(embeddings[0], "encoder", None) if len(embeddings) == 1 else None
    folder: Path | None = getattr(encoder, "folder", None)
    words = Path() if folder is None else folder / "tokenizer" / "tokenizer_config.json"
    if folder is None or encoder.kind != "clip" or not words.is_file():
        return None
    as_published = not embeddings[0].learned_null and len(embeddings[0].project) == 0
    return folder if as_published and read_json(words).get("model_max_length") == encoder.length else None


def _write_texts(network: LatentGenerator, source: Path | None, folder: Path) -> dict[str, list[str]]:
    """Write the text encoder, or one for which every prompt means nothing; its entries in the index."""
    if source is None:
        tokens = network.embed({}, 1).tokens
        assert tokens is not None
        return write_nothing(tokens[0], folder)
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(source / name, folder / name)
    words = read_json(folder / "tokenizer" / "tokenizer_config.json").get("tokenizer_class", "CLIPTokenizer")
    return {"text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", words]}


def _write_index(network: LatentGenerator, folder: Path, kind: str, texts: dict[str, list[str]]) -> None:
    from diffusers import __version__

    components: dict[str, Any] = {
        "unet": type(network.denoiser.model).__name__,
        "vqvae" if kind == LDM else "vae": type(network.first_stage.model).__name__,
        "scheduler": json.loads((folder / "scheduler" / SCHEDULER_CONFIG).read_text())["_class_name"],
    }
    if kind == CONTROL:
        components["controlnet"] = "MultiControlNetModel" if len(network.controls) > 1 else "ControlNetModel"
    index: dict[str, Any] = {"_class_name": kind, "_diffusers_version": __version__}
    index |= {name: ["diffusers", component] for name, component in components.items()} | texts
    if kind != LDM:
        index |= {name: [None, None] for name in _NOTHING} | {"requires_safety_checker": False}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _amend(path: Path, changes: dict[str, Any]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
