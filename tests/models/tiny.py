"""Models so small that a training step takes milliseconds, and their settings as overrides of `facegen train`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from facegen.checkpoint import save_network
from facegen.geometry import cameras
from facegen.models import EG3D, LatentDiffusion, StyleGAN2
from facegen.networks.diffusion import FirstStage

NETWORKS = {"channel_base": 128, "channel_max": 16, "num_fp16_res": 0}


def tiny_model(batch_size: int = 8, **changes: Any) -> StyleGAN2:
    """16 pixels, every regulariser and augmentation at work."""
    arguments: dict[str, Any] = {
        "resolution": 16,
        "batch_size": batch_size,
        "generator": {
            "z_dim": 16,
            "w_dim": 16,
            "mapping_kwargs": {"num_layers": 2},
            "synthesis_kwargs": NETWORKS,
        },
        "discriminator": {**NETWORKS, "epilogue_kwargs": {"mbstd_group_size": 4}},
        "r1_interval": 4,
        "augment_p": 0.5,
        "ada_kimg": 0.5,
    }
    return StyleGAN2(**{**arguments, **changes})


def tiny_eg3d(batch_size: int = 8, **changes: Any) -> EG3D:
    """16 pixels from renderings of 8; swapping, blur, augmentation and both regularisers at work."""
    arguments: dict[str, Any] = {
        "resolution": 16,
        "batch_size": batch_size,
        "generator": {
            "z_dim": 16,
            "w_dim": 16,
            "plane_axes": "xy_xz_zy",
            "plane_resolution": 16,
            "mapping_kwargs": {"num_layers": 2},
            **NETWORKS,
        },
        "discriminator": {**NETWORKS, "conv_clamp": None, "epilogue_kwargs": {"mbstd_group_size": 4}},
        "rendering": {"superresolution_module": "tiny", "depth_resolution": 5, "depth_resolution_importance": 4},
        "neural_rendering_resolution_initial": 8,
        "gpc_reg_fade_kimg": 0.0,
        "blur_init_sigma": 1.0,
        "density_interval": 2,
        "r1_interval": 4,
        "augment": "ada",
        "augment_p": 0.5,
        "ada_kimg": 0.5,
    }
    return EG3D(**{**arguments, **changes})


def tiny_first_stage(**changes: Any) -> FirstStage:
    """16 pixels to latents of 2 x 8 x 8, always the same random weights."""
    arguments: dict[str, Any] = {"img_resolution": 16, "latent_channels": 2, "channels": (4, 8), "blocks": 1}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return FirstStage("kl", **{**arguments, "norm_groups": 4, "mid_attention": False, **changes}).eval()


TINY_UNET = {"channels": [8, 16], "blocks": 1, "attention": [False, True], "head_channels": 8, "norm_groups": 4}


def tiny_latent_diffusion(**changes: Any) -> LatentDiffusion:
    """A flow in latents of 8 pixels, unconditional."""
    arguments: dict[str, Any] = {
        "first_stage": tiny_first_stage(),
        "denoiser": TINY_UNET,
        "condition_width": 16,
        "process": {"objective": "flow"},
        "sampling": {"sampler": "flow_euler", "steps": 2},
        "batch_size": 8,
        "base_rate": 1e-3,
    }
    return LatentDiffusion(**{**arguments, **changes})


def diffusion_overrides(photos: Path, runs: Path, *more: str) -> list[str]:
    """Words after `facegen train` for twelve steps of four images, conditioned on cameras."""
    stage = runs / "first_stage"
    if not stage.exists():
        save_network(tiny_first_stage(), stage)
    names = (
        "data",
        "resolution",
        "batch_size",
        "total_kimg",
        "tick_kimg",
        "snapshot_kimg",
        "grid",
        "workers",
        "threads",
    )
    words: dict[str, Any] = {name: COMMON[name] for name in (*names, "device", "data.mirror")}
    words |= {"model": "latent_diffusion_tiny", "data.labels": "true", "data.root": photos, "runs_dir": runs}
    words |= {f"model.denoiser.{name}": str(value).lower() for name, value in TINY_UNET.items()}
    words |= {"model.first_stage": stage, "model.condition_width": 16, "model.sampling.steps": 2}
    words |= {"model.base_rate": 1e-3, "model.warmup_kimg": 0.016}
    words["model.conditions"] = "{camera: {kind: numbers, size: 25, form: vector}}"
    return [f"{key}={value}" for key, value in words.items()] + list(more)


def camera_labels(count: int, seed: int = 0) -> torch.Tensor:
    """Cameras (N, 25) in front of the face."""
    generator = torch.Generator().manual_seed(seed)
    h, v = (torch.pi / 2 + 0.4 * torch.randn(2, count, generator=generator)).unbind()
    return cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics())


def photographs(folder: Path, count: int = 12, size: int = 16) -> Path:
    """A folder of small pictures with camera labels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03d}.png")
    entries = [[f"{index:03d}.png", label] for index, label in enumerate(camera_labels(count).tolist())]
    (folder / "dataset.json").write_text(json.dumps({"labels": entries}))
    return folder


COMMON = {
    "data": "folder",
    "data.mirror": "true",
    "resolution": 16,
    "batch_size": 4,
    "total_kimg": 0.048,
    "tick_kimg": 0.008,
    "snapshot_kimg": 0.016,
    "grid": "2x2",
    "workers": 0,
    "threads": 1,
    "device": "cpu",
    "model.generator.z_dim": 16,
    "model.generator.w_dim": 16,
    "model.discriminator.channel_base": 128,
    "model.discriminator.channel_max": 16,
    "model.discriminator.epilogue_kwargs.mbstd_group_size": 2,
    "model.r1_interval": 4,
    "model.augment_p": 0.3,
}
OWN = {
    "stylegan2": {
        "model.generator.synthesis_kwargs.channel_base": 128,
        "model.generator.synthesis_kwargs.channel_max": 16,
        "model.pl_weight": 2.0,
    },
    "eg3d": {
        "model": "eg3d_tiny",
        "model.augment": "ada",
        "model.density_interval": 2,
        "model.gpc_reg_fade_kimg": 0.06,
        "model.blur_fade_kimg": 0.03,
        "model.neural_rendering_resolution_initial": 6,
        "model.neural_rendering_resolution_final": 10,
        "model.neural_rendering_resolution_fade_kimg": 0.04,
        "model.rendering.depth_resolution": 5,
        "model.rendering.depth_resolution_importance": 4,
        "model.generator.plane_resolution": 16,
        "model.generator.channel_base": 128,
        "model.generator.channel_max": 16,
    },
}


def overrides(photos: Path, runs: Path, *more: str, kind: str = "stylegan2") -> list[str]:
    """Words after `facegen train` for twelve steps of four images."""
    words = {**OWN[kind], **COMMON, "data.root": photos, "runs_dir": runs}
    return [f"{key}={value}" for key, value in words.items()] + list(more)
