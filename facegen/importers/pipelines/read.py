"""From a folder of diffusers to our networks."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from facegen.importers.compvis import text_conditioner
from facegen.importers.controlnet import attached, on_unet
from facegen.importers.network_parts import (
    Part,
    built,
    control_part,
    first_stage_part,
    generator,
    unet_part,
)
from facegen.importers.pipelines import settings
from facegen.importers.pipelines.conditioning import OWN_CONFIG, read_conditioning
from facegen.importers.pipelines.folders import CONFIG, INDEX, SCHEDULER_CONFIG, read_index, read_json, read_weights

PIPELINES = (
    *("LDMPipeline", "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"),
    *("StableDiffusionControlNetPipeline", "StableDiffusionControlNetImg2ImgPipeline"),
)
_COMPONENTS = ("UNet2DModel", "UNet2DConditionModel", "AutoencoderKL", "VQModel", "ControlNetModel")


def is_pipeline_folder(folder: Path) -> bool:
    """Whether diffusers wrote it: a pipeline, or one component of one."""
    if (folder / INDEX).is_file() or (folder / SCHEDULER_CONFIG).is_file():
        return True
    return (folder / CONFIG).is_file() and "_class_name" in read_json(folder / CONFIG)


def load_pipeline(
    folder: str | Path, base: nn.Module | None = None, name: str = "control", text_encoder: str | Path | None = None
) -> nn.Module:
    """A pipeline's folder as a `LatentGenerator`, or one component's as a `UNet`, `FirstStage` or `ControlBranch`.

    base: a model that a component `controlnet` is attached to under a `name`. text_encoder: a folder of CLIP, in place
    of the pipeline's own. In eval mode. Nothing in the folder is executed. Raises ValueError, in one line, for what
    is damaged and for what our networks cannot express, by the name of the setting.
    """
    folder = Path(folder)
    try:
        if (folder / INDEX).is_file():
            return _pipeline(folder, text_encoder)
        part = _component(folder)
        return attached(base, {name: part}) if base is not None else built(part)
    except ValueError as error:
        text = " ".join(str(error).split())
        raise ValueError(text if str(folder) in text else f"checkpoint: {folder}: {text}") from error


def _component(folder: Path) -> Part:
    if (folder / SCHEDULER_CONFIG).is_file():
        raise ValueError("it is a scheduler, which has no weights; expected a pipeline, unet, vae, vqvae or controlnet")
    where = folder / CONFIG
    config = read_json(where)
    kind = config.get("_class_name")
    if kind not in _COMPONENTS:
        raise ValueError(f"it holds a {str(kind)[:60]}, expected one of {', '.join(_COMPONENTS)}")
    if kind == "ControlNetModel":
        return control_part(settings.control_arguments(config, where), read_weights(folder))
    if kind in ("AutoencoderKL", "VQModel"):
        return first_stage_part(settings.first_stage_arguments(config, where), read_weights(folder))
    return unet_part(settings.unet_arguments(config, where), read_weights(folder))


def _pipeline(folder: Path, text_encoder: str | Path | None) -> nn.Module:
    kind, components = read_index(folder)
    if kind not in PIPELINES:
        raise ValueError(f"it is a {kind[:60] or 'folder without a class'}, expected one of {', '.join(PIPELINES)}")
    stage = next((name for name in ("vae", "vqvae") if name in components), None)
    if stage is None or "unet" not in components or "scheduler" not in components:
        raise ValueError(
            f"it has {', '.join(components) or 'nothing'}, expected a unet, a vae or vqvae, and a scheduler"
        )
    denoiser, first_stage = _component(folder / "unet"), _component(folder / stage)
    own = read_conditioning(folder) if (folder / OWN_CONFIG).is_file() else None
    where = folder / "scheduler" / SCHEDULER_CONFIG
    scheduler = read_json(where)
    process = own.process if own else settings.process_arguments(scheduler, where)
    sampling = own.sampling if own else settings.sampling_arguments(scheduler, process)
    token_dim = denoiser.config.get("token_dim", 0)
    conditioner = own.conditioner if own else _conditioner(folder, components, token_dim, text_encoder)
    names = own.controls if own else []
    return generator(
        _at_size(first_stage, denoiser),
        denoiser,
        conditioner,
        _controls(folder, components, denoiser, names),
        process,
        sampling,
    )


def _at_size(first_stage: Part, denoiser: Part) -> Part:
    """The first stage for images of the size that the denoiser makes, which is not always that of its own training."""
    factor = 2 ** (len(first_stage.config["channels"]) - 1)
    return first_stage._replace(config={**first_stage.config, "img_resolution": denoiser.config["size"] * factor})


def _conditioner(
    folder: Path, components: Mapping[str, str], token_dim: int, text_encoder: str | Path | None
) -> Part | None:
    if token_dim == 0:
        return None
    prompts = components.get("text_encoder", "").startswith("CLIPTextModel")
    return text_conditioner(token_dim, text_encoder or (folder if prompts else None))


def _controls(folder: Path, components: Mapping[str, str], denoiser: Part, names: list[str]) -> dict[str, Part]:
    """The control branches: one folder, or several that are numbered from the second on."""
    if "controlnet" not in components:
        return {}
    folders = [folder / "controlnet"]
    while (following := folder / f"controlnet_{len(folders)}").is_dir():
        folders.append(following)
    if len(names) != len(folders):
        names = ["control", *(f"control_{number}" for number in range(1, len(folders)))]
    parts = [_component(path) for path in folders]
    return {name: on_unet(part, denoiser.config) for name, part in zip(names, parts, strict=True)}
