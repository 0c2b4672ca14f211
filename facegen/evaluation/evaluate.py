"""One evaluation from beginning to end: streams, their stores, and figures of what the stores hold."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from facegen.data.views import label_pool
from facegen.evaluation import figures
from facegen.evaluation.faces import FaceStream, Pool, weights_digest
from facegen.evaluation.figures import Figure, Generated, Real
from facegen.evaluation.filling import fill
from facegen.evaluation.forecast import forecast
from facegen.evaluation.plan import OF_3D, NamedRecipe, Plan
from facegen.evaluation.real import RealStream, real_labels
from facegen.evaluation.results import Result, versions
from facegen.evaluation.store import Store
from facegen.evaluation.streams import Stream
from facegen.metrics.extractors import Extractor
from facegen.metrics.fid3d import SAME, Mode, modes
from facegen.networks.eg3d import is_3d

VERSION = 1  # of what is in a shard


def evaluate(
    generator: nn.Module,
    plan: Plan,
    real: Sequence[NamedRecipe],
    extractor: Extractor,
    folder: Path,
    processes: int = 1,
    rank: int = 0,
    world: int = 1,
    say: Callable[[str], Any] = lambda text: None,
) -> list[Result]:
    """Figures of a generator beside real pictures, on the device that it is on.

    folder: where stores of rows are kept (see `facegen.evaluation.store`). processes: started for the work; rank and
    world: of a distributed program in which every process calls this, and of which the first gets the results and
    the others none. Leaves the generator and the global random numbers as they were.
    Raises ValueError for metrics that this generator or these recipes do not have.
    """
    check(generator, plan, real)
    started, begun = datetime.now(UTC), time.perf_counter()
    with resting(generator):
        device = next(generator.parameters()).device
        real_streams = [RealStream.of(name, recipe, extractor, plan.num_real, device) for name, recipe in real]
        faces = face_stream(generator, plan, real, extractor)
        stores = _fill_all([*real_streams, faces], folder, processes, rank, world, say)
    if rank:
        return []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sides = _real_sides(real, real_streams, stores), _generated_sides(faces, stores[-1])
        found = list(_figures(plan, *sides))
    took = {"started": started.isoformat(timespec="seconds"), "seconds": round(time.perf_counter() - begun, 2)}
    shared: dict[str, Any] = {
        "protocol": protocol(generator, plan, real, extractor),
        "seed": plan.seed,
        "fingerprints": {name: recipe.fingerprint for name, recipe in real},
        "checkpoint": {"path": None, "sha256": faces.weights, "images_seen": None},
        "versions": versions(),
        "time": took | {"device": device.type},
        "warnings": tuple(dict.fromkeys(str(each.message) for each in caught)),
    }
    return [Result(**figure._asdict(), **shared) for figure in found]


def check(generator: nn.Module, plan: Plan, real: Sequence[NamedRecipe]) -> None:
    """Raise ValueError for a plan that this generator and these recipes cannot follow."""
    if not is_3d(generator) and (wrong := [name for name in plan.metrics if name in OF_3D]):
        raise ValueError(f"metrics: got {wrong[0]}, which asks a 3D generator (EG3D) for views; this one makes images")
    if not real and (wrong := [name for name in plan.metrics if name != "pixels"]):
        raise ValueError(
            f"metrics: got {wrong[0]}, which needs real images; add data=NAME, or data=folder data.root=PATH"
        )
    for name, recipe in real:
        side: Any = generator.img_resolution
        if recipe.resolution != side:
            raise ValueError(f"{name}: got pictures of {recipe.resolution} pixels, expected the generator's {side}")
        if generator.c_dim and recipe.c_dim != generator.c_dim:
            raise ValueError(
                f"{name}: got labels of {recipe.c_dim} numbers, expected the generator's {generator.c_dim}"
            )
    if len({recipe.fingerprint for _, recipe in real}) < len(real):
        raise ValueError(
            f"against: got the same pictures as data ({real[0].name}); choose another recipe, or leave it out"
        )


def protocol(generator: Any, plan: Plan, real: Sequence[NamedRecipe], extractor: Extractor) -> dict[str, Any]:
    """What two figures must share to be compared."""
    settings = getattr(generator, "rendering_kwargs", {})
    cameras = {"pivot": settings.get("avg_camera_pivot"), "radius": settings.get("avg_camera_radius")}
    planes = {"neural_rendering_resolution": generator.neural_rendering_resolution} if is_3d(generator) else {}
    transforms = {name: recipe.describe() for name, recipe in real}
    kept = ("resolution", "filter", "crop", "mirror", "rebalance", "faces", "items", "fingerprint")
    return {
        "distance": f"FD ({extractor.name})",
        "extractor": extractor.protocol,
        "resolution": generator.img_resolution,
        "recipes": {name: {key: described.get(key) for key in kept} for name, described in transforms.items()},
        **(cameras | planes if is_3d(generator) else {}),
        "num_images": plan.num_images,
        "num_real": plan.num_real,
        "truncation": plan.truncation,
        "noise_mode": plan.noise_mode,
        "batch_size": plan.batch_size,
    }


@contextmanager
def resting(generator: nn.Module) -> Iterator[None]:
    """The generator in eval mode, and as it was afterwards."""
    before = {module: module.training for module in generator.modules()}
    generator.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training


def face_stream(generator: Any, plan: Plan, real: Sequence[NamedRecipe], extractor: Extractor) -> FaceStream:
    """The pictures that the metrics of a plan need, all in one pass."""
    names = [name for name, _ in real]
    if not generator.c_dim or not names:
        chosen, pools = (Mode(SAME, ""),), ()
    else:
        chosen = modes(names) if set(plan.metrics) & set(OF_3D) else tuple(Mode(SAME, name) for name in names)
        pools = tuple(Pool(name, recipe.fingerprint, label_pool(recipe)) for name, recipe in real)
    if generator.c_dim and not pools:
        pools, chosen = (average_pool(generator),), (Mode(SAME, "average"),)
    device = next(generator.parameters()).device
    arguments = (generator, weights_digest(generator), extractor.to(device), plan, chosen, pools)
    return FaceStream("generated", plan.num_images, plan.batch_size, *arguments)


def average_pool(generator: Any) -> Pool:
    """The one label that stands for all where no real ones are known."""
    if is_3d(generator):
        label = generator.average_camera().cpu().numpy()
    else:
        label = np.full((1, generator.c_dim), 1 / generator.c_dim, np.float32)
    return Pool("average", "average", label)


def _fill_all(
    streams: Sequence[Stream], folder: Path, processes: int, rank: int, world: int, say: Callable[[str], Any]
) -> list[Store]:
    stores = []
    for stream in streams:
        about = stream.about() | {"device": stream.device.type, "torch": torch.__version__, "version": VERSION}
        stores.append(Store(folder, about))
    if rank == 0:
        forecast(streams, stores, processes * world, say)
    for stream, store in zip(streams, stores, strict=True):
        fill(stream, store, processes, rank, world)
    if world > 1:
        torch.distributed.barrier()
        if rank == 0:  # where the others write to a disk that is not shared
            for stream, store in zip(streams, stores, strict=True):
                fill(stream, store, processes)
    return stores


def _real_sides(real: Sequence[NamedRecipe], streams: Sequence[RealStream], stores: Sequence[Store]) -> dict[str, Real]:
    sides = {}
    for (name, recipe), stream, store in zip(real, streams, stores, strict=False):
        rows = store.all(stream.rows)
        times = stream.views.times[: stream.rows]
        sides[name] = Real(name, rows["features"], times, real_labels(recipe, stream), rows["pixels"])
    return sides


def _generated_sides(stream: FaceStream, store: Store) -> dict[Mode, Generated]:
    rows = store.all(stream.rows)
    return {
        mode: Generated(mode, *(rows[f"{kind}_{number}"] for kind in ("features", "labels", "pixels")))
        for number, mode in enumerate(stream.modes)
    }


def _figures(plan: Plan, real: dict[str, Real], made: dict[Mode, Generated]) -> Iterator[Figure]:
    """All figures, recipe by recipe."""
    if not real:
        yield figures.pixels("generated", None, next(iter(made.values())))
    for name, side in real.items():
        same = made[Mode(SAME, name)] if Mode(SAME, name) in made else next(iter(made.values()))
        if "fid" in plan.metrics:
            yield figures.frechet("fid", name, side, same)
        if "kid" in plan.metrics:
            yield figures.kernel(name, side, same)
        if "precision_recall" in plan.metrics:
            yield from figures.neighbours(name, side, same)
        if "pixels" in plan.metrics:
            yield figures.pixels(name, side, same)
    if "fid3d" in plan.metrics:
        for mode, side in made.items():
            yield figures.frechet("fid3d", mode.name, real[mode.rendering], side)
