"""Averages whose width is chosen after training (Karras et al. 2024, section 3): sums of stored ones."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from facegen.checkpoint import checkpoint_files, load
from facegen.diffusion.averaging import posthoc_coefficients

AVERAGES = "averages"  # in the run folder


def average_path(folder: str | Path, images_seen: int, std: float) -> Path:
    """Where a run keeps the average of a width at a clock."""
    return Path(folder) / AVERAGES / f"{images_seen / 1000:09.3f}-{std:g}.safetensors"


def posthoc_average(run: str | Path, std: float) -> Any:
    """The generator of a run with averages of another width, `std` as a part of the training time.

    The clock is that of the newest stored averages. Raises ValueError for runs without stored averages.
    """
    files = sorted((Path(run) / AVERAGES).glob("*.safetensors"))
    if not files or not checkpoint_files(run):
        raise ValueError(f"ema_std: {run} has no stored averages; expected a run folder trained with model.ema=power")
    stored = [(float(clock), float(width)) for clock, _, width in (path.stem.partition("-") for path in files)]
    clocks, widths = zip(*stored, strict=True)
    factors = posthoc_coefficients(clocks, widths, max(clocks), [std])[:, 0]
    generator: Any = load(run)
    return _filled(generator, files, factors.tolist())


@torch.no_grad()
def _filled(generator: Any, files: list[Path], factors: list[float]) -> Any:
    weights = dict(generator.named_parameters())
    sums = {}
    for path, factor in zip(files, factors, strict=True):
        try:
            state = load_file(path)
        except (OSError, SafetensorError) as error:
            raise ValueError(f"ema_std: {path} cannot be read ({error}); delete it to go on without") from error
        for name in state.keys() & weights.keys():
            if state[name].shape != weights[name].shape:
                raise ValueError(f"ema_std: {path}: {name} does not fit the run's newest checkpoint")
            sums[name] = sums.get(name, 0) + factor * state[name].double()
    for name, total in sums.items():
        weights[name].copy_(total)
    return generator
