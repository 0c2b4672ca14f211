"""Rasterisation of faces, its gradients, how right those of silhouettes are, the network, and fits.

    python benchmarks/morphable.py [--only rasterise gradients silhouettes regressor fits] [--repeats 9] [--out FILE.md]

The mesh is a real face of 36 thousand vertices and 71 thousand triangles (golden3d 04, beside the checkout or where
FACEGEN_GOLDEN says), or an ellipsoid of that size where there is none. Times are the best of the repeats, which is what
a machine with other work can tell; processor time is that of all threads. A section is a function that yields lines.
"""

import argparse
import copy
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fitted_faces import make_faces
from facegen.geometry.perspective import DEEP3D
from facegen.morphable.fitting import Fitter
from facegen.networks.reconstruction import ReconstructionNetwork, regress
from facegen.rendering import antialias, edge_neighbors, interpolate, rasterize
from facegen.rendering import silhouette_definitions as silhouettes

SHARED = Path(os.environ.get("FACEGEN_GOLDEN", Path(__file__).resolve().parents[2] / "shared"))
REAL = SHARED / "golden3d" / "04_real_recon.npz"
SIZE = 224


class Shape(NamedTuple):
    """A mesh in the world of morphable models, decimetres."""

    name: str
    vertices: Tensor  # (V, 3)
    triangles: Tensor  # (F, 3)


def face() -> Shape:
    """A real reconstruction, else an ellipsoid with as many triangles."""
    if not REAL.exists():
        return ellipsoid(189, 189)
    with np.load(REAL, allow_pickle=False) as real:
        vertices, triangles = torch.from_numpy(real["vertices"]), torch.from_numpy(real["tri"]).contiguous()
    return Shape("a real face", vertices, triangles)


def ellipsoid(rows: int, columns: int) -> Shape:
    """A head-sized closed surface about the origin."""
    polar, angle = torch.arange(1, rows) * (torch.pi / rows), torch.arange(columns) * (2 * torch.pi / columns)
    p, a = torch.meshgrid(polar, angle, indexing="ij")
    ring = torch.stack([p.sin() * a.cos(), p.cos(), -p.sin() * a.sin()], dim=-1).reshape(-1, 3)
    number = torch.arange(len(ring)).reshape(rows - 1, columns)
    right, below = number.roll(-1, 1), number[1:]
    poles = torch.full((columns,), len(ring))
    parts = [
        torch.stack([poles, number[0], right[0]], dim=-1),
        torch.stack([number[:-1], below, right[:-1]], dim=-1).reshape(-1, 3),
        torch.stack([right[:-1], below, right[1:]], dim=-1).reshape(-1, 3),
        torch.stack([poles + 1, right[-1], number[-1]], dim=-1),
    ]
    points = torch.cat([ring, torch.tensor([[0.0, 1, 0], [0, -1, 0]])]) * torch.tensor([0.8, 1.0, 0.7])
    return Shape(f"ellipsoid of {rows} x {columns}", points, torch.cat(parts).int())


def clip_space(vertices: Tensor, size: int = SIZE) -> Tensor:
    perspective = DEEP3D.at(size)
    return perspective.clip(perspective.view(vertices))


def best(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Least wall and least processor seconds of a call."""
    work()
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors)


def devices() -> Iterator[tuple[str, torch.device, int]]:
    """What to measure on: one and two threads, and a GPU with nvdiffrast."""
    for threads in (1, 2):
        yield f"CPU, {threads} threads" if threads > 1 else "CPU, 1 thread", torch.device("cpu"), threads
    if torch.cuda.is_available() and find_spec("nvdiffrast"):
        yield f"nvdiffrast, {torch.cuda.get_device_name()}", torch.device("cuda"), 1


def timed(work: Callable[[int, torch.device], Callable[[], object]], repeats: int) -> Iterator[str]:
    """Table rows of work that is set up for a batch size and a device."""
    yield "| where | batch | ms an image | images/s | processor ms an image | load |"
    yield "|---|---|---|---|---|---|"
    for name, device, threads in devices():
        torch.set_num_threads(threads)
        for batch in (1, 32):
            wall, processor = best(work(batch, device), repeats)
            times = f"{wall / batch * 1000:.2f} | {batch / wall:.0f} | {processor / batch * 1000:.2f}"
            yield f"| {name} | {batch} | {times} | {os.getloadavg()[0]:.1f} |"


def rasterise(repeats: int) -> Iterator[str]:
    """Finding triangles, barycentric coordinates and depth."""
    shape = face()
    yield f"{shape.name}, {len(shape.vertices)} vertices, {len(shape.triangles)} triangles, {SIZE} pixels"
    yield ""

    def work(batch: int, device: torch.device) -> Callable[[], object]:
        clip = clip_space(shape.vertices)[None].repeat(batch, 1, 1).to(device)
        triangles = shape.triangles.to(device)
        return lambda: rasterize(clip, triangles, SIZE)

    yield from timed(work, repeats)


def gradients(repeats: int) -> Iterator[str]:
    """Rasterise, interpolate three colours, antialias, and the gradient of vertices and colours."""
    shape = face()
    yield f"{shape.name}, rasterise + interpolate + antialias, forward and backward, {SIZE} pixels"
    yield ""

    def work(batch: int, device: torch.device) -> Callable[[], object]:
        triangles = shape.triangles.to(device)
        vertices = shape.vertices[None].repeat(batch, 1, 1).to(device).requires_grad_()
        colors = torch.rand(batch, len(shape.vertices), 3, device=device, requires_grad=True)
        upstream, neighbors = torch.randn(batch, SIZE, SIZE, 3, device=device), edge_neighbors(triangles)

        def step() -> object:
            clip = clip_space(vertices)
            seen = rasterize(clip, triangles, SIZE)
            image = antialias(interpolate(colors, seen, triangles), seen, clip, triangles, neighbors)
            return torch.autograd.grad(image, (vertices, colors), upstream)

        return step

    yield from timed(work, repeats)


MOTIONS = ("right", "up", "larger", "wider", "roll")


def moved(vertices: Tensor, amounts: Tensor) -> Tensor:
    """Vertices after the motions by so many decimetres, at the face's edge where they turn or grow."""
    x, y, z = vertices.unbind(dim=-1)
    right, up, larger, wider, roll = amounts
    size = 1 + larger
    return torch.stack([x * (size + wider) - roll * y + right, y * size + roll * x + up, z], dim=-1)


def drawn(shape: Shape, amounts: Tensor, size: int, near_only: bool | None) -> Tensor:
    """White before black. `near_only`: blend only at edges of the nearer pixel's own triangle; None: not at all."""
    clip = clip_space(moved(shape.vertices.double(), amounts), size)[None]
    seen = rasterize(clip, shape.triangles, size)
    image = (seen.triangle_id >= 0).double()[..., None]
    if near_only is None:
        return image[0, ..., 0]
    if not near_only:
        return antialias(image, seen, clip, shape.triangles)[0, ..., 0]
    points = silhouettes.to_pixels(clip, (size, size))
    neighbors, ids = edge_neighbors(shape.triangles), seen.triangle_id
    found = silhouettes.find(points.detach(), shape.triangles, neighbors, ids, seen.depth)
    other = torch.stack([F.pad(ids, (0, 1))[:, :, 1:], F.pad(ids, (0, 0, 0, 1))[:, 1:]], dim=1)
    near = torch.where(found % 2 == 0, ids[:, None], other)
    return silhouettes.blend(image, points, shape.triangles, torch.where(found // 6 == near, found, -1))[0, ..., 0]


def slopes(shape: Shape, trials: int = 6, finer: int = 8, step: float = 0.01) -> list[str]:
    """For the walk and for the nearer triangle's own edges: regression of the gradient on finite differences of a
    supersampled picture, and the error relative to their size; over five motions, random places and random losses."""
    generator = torch.Generator().manual_seed(0)
    ours: dict[bool, list[Tensor]] = {False: [], True: []}
    truth = []
    for _ in range(trials):
        coarse = torch.randn(1, 1, 8, 8, generator=generator, dtype=torch.float64)
        weights = F.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic")[0, 0]
        place = (torch.rand(len(MOTIONS), generator=generator, dtype=torch.float64) - 0.5) * 0.1
        for near_only, found in ours.items():
            amounts = place.clone().requires_grad_()
            found.append(torch.autograd.grad((drawn(shape, amounts, SIZE, near_only) * weights).sum(), amounts)[0])
        fine = weights.repeat_interleave(finer, 0).repeat_interleave(finer, 1) / finer**2
        for motion in torch.eye(len(MOTIONS), dtype=torch.float64) * step:
            ends = [(drawn(shape, place + sign * motion, SIZE * finer, None) * fine).sum() for sign in (1, -1)]
            truth.append((ends[0] - ends[1]) / (2 * step))
    expected = torch.stack(truth)
    columns = []
    for found in (torch.cat(ours[False]), torch.cat(ours[True])):
        slope = float(found @ expected / expected.square().sum())
        columns.append(f"{slope:.3f} | {float((found - expected).norm() / expected.norm()):.3f}")
    return columns


def silhouette_gradients(repeats: int) -> Iterator[str]:
    """How right the gradients of silhouettes are."""
    yield "| mesh | triangles | median area, pixels | walk: slope | error | nearer triangle only: slope | error |"
    yield "|---|---|---|---|---|---|---|"
    for shape in (ellipsoid(8, 10), ellipsoid(30, 40), ellipsoid(100, 130), ellipsoid(320, 400), face()):
        pixels = DEEP3D.project(DEEP3D.view(shape.vertices))[shape.triangles.long()]
        (ax, ay), (bx, by) = ((pixels[:, k] - pixels[:, 0]).unbind(dim=-1) for k in (1, 2))
        area = float((ax * by - ay * bx).abs().median()) / 2
        walk, near = slopes(shape)
        yield f"| {shape.name} | {len(shape.triangles)} | {area:.2g} | {walk} | {near} |"


def regressor(repeats: int) -> Iterator[str]:
    """Coefficients of pictures, as the start of a fit or for the callback in training."""
    for kind, size in (("resnet18", 64), ("resnet50", SIZE)):
        network = ReconstructionNetwork(kind, size=size).eval()
        yield f"{kind}, pictures of {size} pixels, without gradients"
        yield ""

        def work(batch: int, device: torch.device, network: ReconstructionNetwork = network) -> Callable[[], object]:
            placed, images = network.to(device), torch.rand(batch, 3, network.size, network.size, device=device) * 2 - 1
            return torch.inference_mode()(lambda: regress(placed, images))

        yield from timed(work, repeats)
        yield ""


def fits(repeats: int) -> Iterator[str]:
    """Synthetic faces from landmarks, then from all pixels too; renders of the result are left out."""
    faces = make_faces(32, seed=99)
    for photometric in (False, True):
        yield f"{'full fit' if photometric else 'fit of landmarks'}, built-in model, pictures of {SIZE} pixels"
        yield ""

        def work(batch: int, device: torch.device, photometric: bool = photometric) -> Callable[[], object]:
            model = faces.model if device.type == "cpu" else copy.deepcopy(faces.model).to(device)
            fitter = Fitter(model, photometric=photometric, draw=False)
            images, landmarks = faces.images[:batch].to(device), faces.landmarks[:batch].to(device)
            return lambda: fitter.fit(images, landmarks)

        yield from timed(work, min(repeats, 3))
        yield ""


SECTIONS: dict[str, Callable[[int], Iterator[str]]] = {
    "rasterise": rasterise,
    "gradients": gradients,
    "silhouettes": silhouette_gradients,
    "regressor": regressor,
    "fits": fits,
}


def conditions() -> str:
    """Where and when this was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.processor())
    return f"{date.today()}, {os.cpu_count()} x {processor}, torch {torch.__version__}, commit {commit.strip()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=list(SECTIONS), help="sections to run")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, help="also write the lines to this file")
    arguments = parser.parse_args()
    lines: list[str] = []
    for name in arguments.only:
        for line in (f"## {name}: {conditions()}", "", *SECTIONS[name](arguments.repeats), ""):
            print(line, flush=True)
            lines.append(line)
    if arguments.out:
        arguments.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
