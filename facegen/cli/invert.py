"""`facegen invert`: the latents of photographs, and generators tuned to give them back."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from facegen.checkpoint import atomic_write, save_network
from facegen.cli import photographs, sampling
from facegen.cli.photographs import Photograph
from facegen.data.pictures import save_png, tile, to_uint8
from facegen.losses.perceptual import LEAST_SIZE, PerceptualDistance, package_weights, perceptual_distance
from facegen.models import inversion
from facegen.models.inversion.objective import shrink
from facegen.networks import eg3d
from facegen.networks.diffusion import is_diffusion

CONFIG = "invert"
HELP = """\
The latents of photographs (W, W+), and generators tuned around them (pivotal tuning).

Writes for each picture NAME.npz (ws, camera, settings), NAME.png (picture, W, pivotal side by side) and for EG3D
NAME_views.png (new views with depth below; the tuned generator's in the lower half), and inversion.json: PSNR and
perceptual distance before and after tuning. Pictures must be square and cut out as the training images were.

Examples:
  facegen invert checkpoint=runs/NAME images=face.png                          StyleGAN2
  facegen invert checkpoint=runs/NAME images=faces/ labels=faces/dataset.json  EG3D: the camera of each picture
  facegen invert checkpoint=ffhq.pkl images=face.png space=w+ pivotal_steps=0
  facegen invert checkpoint=runs/NAME images=face.png save_tuned=true          a generator to load with facegen.load

A thousand steps are for a GPU; on a CPU steps=200 pivotal_steps=100 show what to expect."""

Figures = dict[str, float]


def run(cfg: DictConfig) -> None:
    """Invert one picture after the other."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    _check(settings)
    generator = sampling.load_generator(str(settings["checkpoint"]), settings["device"])
    if is_diffusion(generator):
        raise ValueError(
            f"checkpoint: {settings['checkpoint']} is a diffusion model, which has no w; expected StyleGAN2 or EG3D"
        )
    folder, found = photographs.find(str(settings["images"]))
    is_3d = eg3d.is_3d(generator)
    rows = photographs.labels(settings["labels"], found, folder, generator.c_dim, is_3d)
    judges = _judges(settings["perceptual"], generator)
    outdir, results = Path(str(settings["outdir"])).expanduser(), []
    for photograph, row in zip(tqdm(found, desc="pictures", unit="img"), rows, strict=True):
        target = photographs.read(photograph.path, generator.img_resolution)
        results.append(_invert(generator, photograph, target, row[None], judges, settings, outdir))
        with atomic_write(outdir / "inversion.json") as temporary:
            temporary.write_text(json.dumps({"settings": settings, "images": results}, indent=1) + "\n")
    print(table(results))


def _check(settings: dict[str, Any]) -> None:
    """What no constructor checks, before anything is loaded."""
    for name, least in (("steps", 1), ("average_samples", 2), ("pivotal_steps", 0), ("learning_rate", 0)):
        if settings[name] < least:
            raise ValueError(f"{name}: got {settings[name]}, expected at least {least}")
    for name, choices in (("space", ("w", "w+")), ("conditioning", ("average", "own"))):
        if settings[name] not in choices:
            raise ValueError(f"{name}: got {settings[name]!r}, expected {' or '.join(choices)}")
    yaws = settings["yaws"]
    if not isinstance(yaws, list) or not all(isinstance(yaw, int | float) and abs(yaw) < 180 for yaw in yaws):
        raise ValueError(f"yaws: got {yaws!r}, expected a list of degrees such as [-30,0,30]")


def _judges(choice: str, generator: Any) -> list[PerceptualDistance]:
    """The distance that is minimised, then those that are only reported, as far as their weights are here."""
    device, side = next(generator.parameters()).device, generator.img_resolution
    chosen = perceptual_distance(str(choice), side).to(device)
    others = [kind for kind in ("alex", "vgg") if package_weights(kind) and side >= LEAST_SIZE]
    more = [perceptual_distance(kind, quiet=True).to(device) for kind in others]
    return [chosen, *(judge for judge in more if judge.name != chosen.name)]


def _invert(
    generator: Any,
    photograph: Photograph,
    target: Float[Tensor, "1 3 side side"],
    label: Float[Tensor, "1 c_dim"],
    judges: list[PerceptualDistance],
    settings: dict[str, Any],
    outdir: Path,
) -> dict[str, Any]:
    """Invert one picture, write its files, and return its entry of inversion.json."""
    device, is_3d = next(generator.parameters()).device, eg3d.is_3d(generator)
    target, label = target.to(device), label.to(device)
    camera = label if is_3d else None
    shared: dict[str, Any] = {"perceptual": judges[0], "raw_weight": settings["raw_weight"], "seed": settings["seed"]}
    same = ("space", "steps", "learning_rate", "pixel_weight", "optimize_noise", "noise_weight", "average_samples")
    conditioning = None if is_3d and settings["conditioning"] == "average" else label
    found = inversion.invert(
        generator, target, camera, conditioning=conditioning, **{name: settings[name] for name in same}, **shared
    )
    entry: dict[str, Any] = {"name": photograph.name, "source": str(photograph.path)}
    entry[settings["space"]] = figures(found.images, target, judges)
    images, networks = [target, found.images], [inversion.with_noise(generator, found.noise)]
    if settings["pivotal_steps"]:
        around: dict[str, Any] = {
            "steps": settings["pivotal_steps"],
            "learning_rate": settings["pivotal_learning_rate"],
        }
        tuned = inversion.pivotal_tuning(networks[0], found.ws, target, camera, **around, **shared)
        entry["pivotal"] = figures(tuned.images, target, judges)
        images, networks = [*images, tuned.images], [*networks, tuned.generator]
        if settings["save_tuned"]:
            save_network(tuned.generator, outdir / photograph.name, {"source": photograph.path.name})
    save_png(tile(to_uint8(torch.cat(images)), len(images)), outdir / f"{photograph.name}.png")
    if is_3d and settings["yaws"]:
        sheets = [views(network, found.ws, settings["yaws"]) for network in networks]
        save_png(np.concatenate(sheets), outdir / f"{photograph.name}_views.png")
    _save_latents(outdir / f"{photograph.name}.npz", found, label, settings)
    return entry


def _save_latents(path: Path, found: inversion.Inversion, label: Tensor, settings: dict[str, Any]) -> None:
    """ws (num_ws, w_dim), camera (c_dim,), the settings as JSON, and noise maps where they were searched for."""
    arrays = {f"noise/{name}": level[0, 0].cpu().numpy() for name, level in found.noise.items()}
    arrays |= {"ws": found.ws[0].cpu().numpy(), "camera": label[0].cpu().numpy()}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, settings=np.array(json.dumps(settings)), **arrays)


@torch.no_grad()
def figures(images: Tensor, target: Tensor, judges: list[PerceptualDistance]) -> Figures:
    """PSNR at full size and the perceptual distances, at 256 pixels at most, of one picture."""
    small, small_target = shrink(images.clamp(-1, 1)), shrink(target)
    found = {"psnr": float(inversion.psnr(images, target))}
    return found | {judge.name: float(judge(small, small_target)) for judge in judges}


@torch.no_grad()
def views(
    generator: Any, ws: Float[Tensor, "1 num_ws w_dim"], yaws_degrees: list[float]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Pictures from the sides in one row, their depth (near is bright) in a second one.

    A positive yaw turns the nose to the right of the picture.
    """
    h = math.pi / 2 - torch.deg2rad(torch.tensor(yaws_degrees, dtype=torch.float32, device=ws.device))
    labels = generator.cameras_at(h, math.pi / 2)
    made = [inversion.synthesize(generator, ws, label[None]) for label in labels]
    depth = torch.cat([one.depth for one in made if one.depth is not None])
    near, far = depth.quantile(0.02), depth.quantile(0.98)
    grey = 1 - 2 * (depth - near) / (far - near).clamp_min(1e-6)
    grey = torch.nn.functional.interpolate(grey.clamp(-1, 1), size=made[0].image.shape[-1], mode="nearest")
    sheet = torch.cat([*(one.image for one in made), grey.expand(-1, 3, -1, -1)])
    return tile(to_uint8(sheet), len(yaws_degrees))


def table(results: list[dict[str, Any]]) -> str:
    """The figures of all pictures, and their means."""
    stages = [stage for stage in ("w", "w+", "pivotal") if stage in results[0]]
    columns = [(stage, figure) for figure in results[0][stages[0]] for stage in stages]
    width = max(len("mean"), *(len(result["name"]) for result in results))
    lines = [f"{'':<{width}}  " + "  ".join(f"{figure} {stage}" for stage, figure in columns)]
    rows = [(result["name"], [result[stage][figure] for stage, figure in columns]) for result in results]
    if len(rows) > 1:
        rows.append(("mean", [float(np.mean(values)) for values in zip(*(row for _, row in rows), strict=True)]))
    for name, values in rows:
        cells = [_cell(value, stage, figure) for value, (stage, figure) in zip(values, columns, strict=True)]
        lines.append(f"{name:<{width}}  " + "  ".join(cells))
    return "\n".join(lines)


def _cell(value: float, stage: str, figure: str) -> str:
    text = f"{value:.2f}" if figure == "psnr" else f"{value:.4f}"
    return f"{text:>{len(figure) + 1 + len(stage)}}"
