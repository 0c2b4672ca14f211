"""`facegen evaluate`: what can be said of a generator without a feature network: time, colours, contrast, variety."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from facegen.checkpoint import atomic_write
from facegen.cli import sampling

CONFIG = "evaluate"
HELP = """\
Time per image, and colour, contrast and variety of generated faces beside those of real ones.

Prints a table and one JSON line that names the images it was measured on (count, filter, fingerprint).

Examples:
  facegen evaluate checkpoint=runs/NAME                            beside the images it was trained on
  facegen evaluate checkpoint=my_generator data=folder data.root=~/photographs
  facegen evaluate checkpoint=ffhq.pkl num_images=64 truncation=0.7 out=result.json

These are signs of collapse and of a wrong colour range, not a measure of quality: a generator of noise with the
right colours would pass. This version has no Fréchet distance."""


class PixelStatistics:
    """Mean and deviation per channel, and mean distance of neighbours in the stream, of images in [0, 255]."""

    def __init__(self) -> None:
        self.count = 0
        self.pairs: list[float] = []
        self.sums = np.zeros((2, 3))
        self.pixels = 0
        self.previous: np.ndarray | None = None

    def add(self, image: np.ndarray) -> None:
        """Take one (height, width, 3) picture."""
        values = image.astype(np.float64)
        self.sums += [values.sum((0, 1)), (values**2).sum((0, 1))]
        self.pixels += values.shape[0] * values.shape[1]
        if self.previous is not None:
            self.pairs.append(float(np.sqrt(((values - self.previous) ** 2).mean())))
        self.previous = values
        self.count += 1

    def result(self) -> dict[str, Any]:
        """Figures in units of 8-bit pixels."""
        mean, square = self.sums / max(self.pixels, 1)
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        variety = float(np.mean(self.pairs)) if self.pairs else float("nan")
        return {
            "images": self.count,
            "mean": [round(float(v), 2) for v in mean],
            "deviation": [round(float(v), 2) for v in deviation],
            "variety": round(variety, 2),
        }


def run(cfg: DictConfig) -> None:
    """Evaluate and print."""
    if cfg.num_images < 2 or cfg.batch_size < 1:
        got = f"num_images={cfg.num_images}, batch_size={cfg.batch_size}"
        raise ValueError(
            f"evaluate: got {got}; expected two images or more (they are compared) in batches of 1 or more"
        )
    generator = sampling.load_generator(str(cfg.checkpoint), cfg.device)
    data = _real_images(cfg, generator)
    real = None if data is None else _statistics(_stream(data, cfg.num_images), cfg.num_images, "real")
    generated, seconds = _generated(generator, cfg, data)
    result = {
        "checkpoint": str(cfg.checkpoint),
        "resolution": generator.img_resolution,
        "truncation": cfg.truncation,
        "seeds": [cfg.seed, cfg.seed + cfg.num_images - 1],
        "device": next(generator.parameters()).device.type,
        "seconds_per_image": round(seconds, 5),
        "generated": generated,
        "real": real,
        "recipe": None if data is None else data.recipe.describe(),
    }
    print(table(result))
    line = json.dumps(result)
    print(line)
    if cfg.out is not None:
        with atomic_write(Path(str(cfg.out)).expanduser()) as temporary:
            temporary.write_text(line + "\n", encoding="utf-8")


def _real_images(cfg: DictConfig, generator: Any) -> Any:
    """Data module of the chosen images, or of the run's own; None where neither is known."""
    chosen = cfg.get("data")
    path = Path(str(cfg.checkpoint)).expanduser()
    own = (path.parent.parent if path.suffix == ".ckpt" else path) / "config.yaml"
    if chosen is None and own.is_file():
        chosen = OmegaConf.select(OmegaConf.load(own), "data")
    if chosen is None:
        return None
    return instantiate(chosen, resolution=generator.img_resolution, batch_size=cfg.batch_size)


def _stream(data: Any, count: int) -> Iterator[np.ndarray]:
    """The first `count` images of the shuffled training stream."""
    left = count
    for batch in data.train_dataloader():
        yield from batch.images[:left].permute(0, 2, 3, 1).numpy()
        left -= len(batch.images)
        if left <= 0:
            return


def _statistics(images: Iterable[np.ndarray], count: int, name: str) -> dict[str, Any]:
    statistics = PixelStatistics()
    for image in tqdm(images, total=count, desc=name, unit="img"):
        statistics.add(image)
    return statistics.result()


def _labels(generator: Any, cfg: DictConfig, data: Any) -> Tensor:
    if data is not None and generator.c_dim and data.c_dim == generator.c_dim:
        rows = np.random.default_rng(cfg.seed).integers(len(data.recipe.label_table), size=cfg.num_images)
        return torch.from_numpy(data.recipe.label_table[rows])
    return sampling.labels(cfg.labels, cfg.num_images, generator.c_dim)


def _generated(generator: Any, cfg: DictConfig, data: Any) -> tuple[dict[str, Any], float]:
    """Statistics of the generated images, and seconds per image after a batch that warms up."""
    seeds = list(range(cfg.seed, cfg.seed + cfg.num_images))
    z, c = sampling.latents(seeds, generator.z_dim), _labels(generator, cfg, data)
    batches = list(zip(z.split(cfg.batch_size), c.split(cfg.batch_size), strict=True))
    _batch(generator, *batches[0], cfg)
    spent = 0.0

    def timed() -> Iterator[np.ndarray]:
        nonlocal spent
        for batch in batches:
            start = time.perf_counter()
            made = _batch(generator, *batch, cfg)
            spent += time.perf_counter() - start
            yield from made

    return _statistics(timed(), cfg.num_images, "generated"), spent / cfg.num_images


def _batch(generator: Any, z: Tensor, c: Tensor, cfg: DictConfig) -> list[np.ndarray]:
    ws = sampling.map_latents(generator, z, c, cfg.truncation, None)
    return list(sampling.images(generator, ws, "const", cfg.batch_size, cameras=c))


def table(result: dict[str, Any]) -> str:
    """The figures side by side."""
    columns = [("generated", result["generated"]), ("real", result["real"])]
    columns = [(name, figures) for name, figures in columns if figures is not None]
    rows = [("", [name for name, _ in columns])]
    for key, title in (
        ("images", "images"),
        ("mean", "mean of R, G, B (0-255)"),
        ("deviation", "deviation of R, G, B"),
        ("variety", "RMS difference of two images"),
    ):
        rows.append((title, [_text(figures[key]) for _, figures in columns]))
    lines = [f"{title:<30}" + "".join(f"{value:>24}" for value in values) for title, values in rows]
    lines.append(f"{'seconds per image':<30}{result['seconds_per_image']:>24}  ({result['device']})")
    if recipe := result["recipe"]:
        lines.append(f"real: filter {recipe['filter']}, recipe {recipe['fingerprint'][:12]}, {recipe['faces']} faces")
    return "\n".join(lines)


def _text(value: Any) -> str:
    return "  ".join(f"{v:.1f}" for v in value) if isinstance(value, list) else str(value)
