"""A StyleGAN2 so small that a training step takes milliseconds, as overrides of `facegen train`."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facegen.models import StyleGAN2

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


def photographs(folder: Path, count: int = 12, size: int = 16) -> Path:
    """A folder of small pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03d}.png")
    return folder


def overrides(photos: Path, runs: Path, *more: str) -> list[str]:
    """Words after `facegen train` for twelve steps of four images."""
    words = {
        "data": "folder",
        "data.root": photos,
        "data.mirror": "true",
        "runs_dir": runs,
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
        "model.generator.synthesis_kwargs.channel_base": 128,
        "model.generator.synthesis_kwargs.channel_max": 16,
        "model.discriminator.channel_base": 128,
        "model.discriminator.channel_max": 16,
        "model.discriminator.epilogue_kwargs.mbstd_group_size": 2,
        "model.r1_interval": 4,
        "model.pl_weight": 2.0,
        "model.augment_p": 0.3,
    }
    return [f"{key}={value}" for key, value in words.items()] + list(more)
