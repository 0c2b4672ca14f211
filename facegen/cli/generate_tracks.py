"""`facegen generate`: ways through the space of latents, for interpolation videos."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facegen.cli import sampling
from facegen.networks.latents import slerp as slerp  # what callers look for here


def check_film(settings: dict[str, Any]) -> None:
    """ValueError for a film of no frames."""
    frames, fps = settings["frames"], settings["fps"]
    if frames < 1 or fps < 1:
        raise ValueError(f"video: got frames={frames}, fps={fps}; expected at least 1")


def closed_track(
    generator: Any, z: Float[Tensor, "key z_dim"], c: Float[Tensor, "key c_dim"], settings: dict[str, Any]
) -> Float[Tensor, "frame num_ws w_dim"]:
    """ws of every frame of a closed path through the key frames, `settings["frames"]` from one to the next."""
    if len(z) < 2:
        raise ValueError(f"video: got {len(z)} seed(s); expected two seeds or more to move between")
    steps = torch.arange(settings["frames"]) / settings["frames"]
    truncation = settings["truncation"], settings["truncation_cutoff"]
    if settings["interpolation"] == "z":
        between = [slerp(a, b, steps) for a, b in zip(z, z.roll(-1, 0), strict=True)]
        labels = [torch.lerp(a, b, steps[:, None]) for a, b in zip(c, c.roll(-1, 0), strict=True)]
        return sampling.map_latents(generator, torch.cat(between), torch.cat(labels), *truncation)
    if settings["interpolation"] not in (None, "w"):
        raise ValueError(f"interpolation: got {settings['interpolation']!r}, expected w or z")
    ws = sampling.map_latents(generator, z, c, *truncation)
    steps = steps.to(ws.device)[:, None, None]
    return torch.cat([torch.lerp(a, b, steps) for a, b in zip(ws, ws.roll(-1, 0), strict=True)])
