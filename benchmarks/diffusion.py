"""Seconds of latent diffusion by phase and size: encoding, training steps, samplers, what cached latents save.

    python benchmarks/diffusion.py                         tiny (64 pixels) and the published FFHQ model; the GPU too
    python benchmarks/diffusion.py --sizes tiny --threads 1 2 --repeats 9

`tiny` is model=latent_diffusion_tiny on autoencoder_tiny, unconditional, with tokens of a camera and coefficients, and
with a ControlNet; `ffhq256` is model=ldm_ffhq256 on vq_f4, with random weights: times do not depend on them.
A step is forward, backward and AdamW; what it costs without the cache is the first stage's encoding besides.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.phases import median_seconds, own_process, peak_gib
from facegen.data.batch import FaceBatch
from facegen.models import ControlNet, LatentDiffusion
from facegen.models.draws import Draws
from facegen.networks.diffusion import FirstStage

TINY: dict[str, Any] = {"channels": [64, 128], "blocks": 1, "attention": [False, True], "head_channels": 32}
FFHQ: dict[str, Any] = {"channels": [224, 448, 672, 896], "blocks": 2, "attention": [False, True, True, True]}
CONDITIONS = {
    "camera": {"kind": "numbers", "size": 25, "form": "tokens", "tokens": 2},
    "coefficients": {"kind": "numbers", "size": 136, "form": "tokens", "tokens": 6, "columns": ["numbers"]},
}
SAMPLERS = {"flow": ("flow_euler", "flow_heun", "dpm++2m", "unipc"), "eps": ("ddim", "dpm++2m", "unipc")}


def build(size: str) -> tuple[Any, int]:
    """A model and the batch that it is timed with."""
    torch.manual_seed(0)
    if size == "ffhq256":
        stage = FirstStage("vq", 256, 3, (128, 256, 512), 2)
        return LatentDiffusion(stage, denoiser={**FFHQ, "head_channels": 32}, process={"objective": "eps"}), 1
    stage = FirstStage("kl", 64, 4, (16, 32, 64), 1, norm_groups=8, mid_attention=False)
    more: dict[str, Any] = {"conditions": CONDITIONS, "condition_width": 128} if size == "tiny conditioned" else {}
    flow: dict[str, Any] = {"process": {"objective": "flow"}, "sampling": {"sampler": "flow_heun", "steps": 16}}
    model = LatentDiffusion(stage, denoiser={**TINY, "norm_groups": 16}, **flow, **more)
    return (ControlNet(model.generator_ema, ["depth"]) if size == "tiny controlled" else model), 32


def pictures(model: Any, count: int, device: str) -> FaceBatch:
    """Random pictures with what the model is told."""
    side = model.generator_ema.img_resolution
    images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, device=device)
    cameras, numbers = (torch.randn(count, width, device=device) for width in (25, 136))
    return FaceBatch(images, cameras, {"numbers": numbers}, [])


def step_of(model: Any, batch: FaceBatch, device: str) -> dict[str, Callable[[], Any]]:
    """The phases of a training step, from latents that are known."""
    if isinstance(model, ControlNet):
        hint = torch.rand(batch.images.shape, device=device)
        model.hints = lambda batch: {"depth": hint}  # type: ignore[method-assign]
    optimizer, rows = model.configure_optimizers(), slice(0, len(batch.images))
    known = batch._replace(conditions={**batch.conditions, "moments": model.moments(batch)})

    def forward() -> torch.Tensor:
        return model.loss(model.noised(known, Draws(0, 0, device)), rows).mean()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        forward().backward()
        optimizer.step()

    def averaged() -> None:
        model.averages.update(model.averaged_parts(), model.networks, 10_000, rows.stop)

    return {"forward": forward, "step": step, "average": averaged}


def measure(size: str, threads: int, repeats: int, device: str) -> dict[str, Any]:
    """Median seconds of every phase for one batch."""
    torch.set_num_threads(threads)
    model, count = build(size)
    model = model.to(device).train()
    batch, generator = pictures(model, count, device), model.generator_ema
    with torch.no_grad():
        row: dict[str, Any] = {"batch": count, "encode": median_seconds(lambda: model.moments(batch), repeats, device)}
    row |= {name: median_seconds(call, repeats, device) for name, call in step_of(model, batch, device).items()}
    row["peak"] = peak_gib(device)
    z = torch.randn(count, generator.z_dim, device=device)
    context = generator.embed({}, count)
    x, t = z.view(-1, *generator.latent_shape), torch.tensor(500.0, device=device)
    row["predict"] = median_seconds(lambda: generator.predict(x, t, context), repeats, device)
    row["decode"] = median_seconds(lambda: generator.decode(x), repeats, device)
    few, least = (4, 1) if size != "tiny" else (16, 3)
    for name in SAMPLERS[generator.process.objective] if size != "ffhq256" else ():
        call: Callable[[], Any] = lambda name=name: generator.sample(z, sampler=name, steps=few)  # noqa: E731
        row[f"{name}, {few} steps"] = median_seconds(call, least, device)
    return row


def main() -> None:
    """One process for each size and number of threads, so that memory and thread pools are its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["tiny", "tiny conditioned", "tiny controlled", "ffhq256"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--row", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row is not None:
        size, threads, repeats, device = options.row
        print(json.dumps(measure(size, int(threads), int(repeats), device)))
        return
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for size in options.sizes:
        for device in devices:
            for threads in options.threads if device == "cpu" else [1]:
                row = own_process(__file__, [size, str(threads), str(options.repeats), device])
                show(f"{size}, {device}, {threads} thread{'s' * (threads > 1)}", row)


def show(title: str, row: dict[str, Any]) -> None:
    """Milliseconds for each image, and what a cache of latents saves."""
    count = row.pop("batch")
    peak = row.pop("peak")
    print(f"\n{title}: batch {count}, peak {peak:.1f} GiB")
    for name, seconds in row.items():
        print(f"  {name:22s} {1000 * seconds / count:9.2f} ms an image   {count / seconds:8.1f} images/s")
    whole = row["step"] + row["average"]
    print(f"  a step with the cache of latents is {(whole + row['encode']) / whole:.2f} times as fast as without")


if __name__ == "__main__":
    main()
