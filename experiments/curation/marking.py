"""Training of the small networks that mark pixels, and how their weights are kept."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from facegen.checkpoint import atomic_write
from facegen.curation.quality.occlusion import OcclusionNetwork, as_input, read_network

BATCH = 32
Example = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray]]


def train(example: Example, steps: int, out: Path) -> None:
    """Train on (pixels, what is to be marked, where it counts) and write the averaged weights.

    Goes on with the weights in `out` where there are some.
    """
    torch.manual_seed(int(out.exists()))
    generator, begun = np.random.default_rng(int(out.exists())), time.time()
    network = read_network(out).train() if out.exists() else OcclusionNetwork()
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    averaged = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        batch = zip(*(example(generator) for _ in range(BATCH)), strict=True)
        pixels, *rest = (np.stack(each) for each in batch)
        wanted, where = (functional.avg_pool2d(torch.from_numpy(each.astype(np.float32))[:, None], 2) for each in rest)
        losses = functional.binary_cross_entropy_with_logits(network(as_input(pixels)), wanted, reduction="none")
        loss = (losses * where).sum() / where.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        averaged.update_parameters(network)
        if step % 100 == 0:
            print(f"{step} loss {loss.item():.3f} {time.time() - begun:.0f} s", flush=True)
        if step % 1000 == 999 or step == steps - 1:
            _save(averaged.module, out)


def _save(network: torch.nn.Module, out: Path) -> None:
    with atomic_write(out) as temporary, temporary.open("wb") as file:
        np.savez(
            file, **{name: value.detach().numpy().astype(np.float16) for name, value in network.state_dict().items()}
        )
