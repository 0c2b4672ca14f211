"""One evaluation from beginning to end: streams, their stores, and figures of what the stores hold."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from facegen.evaluation.adherence_results import adherence_figures
from facegen.evaluation.faces import FaceStream
from facegen.evaluation.figures import figures
from facegen.evaluation.filling import fill, jobs_of
from facegen.evaluation.forecast import forecast, say_origins
from facegen.evaluation.pairs import PairStream, pair_values
from facegen.evaluation.plan import ADHERENCE, OF_PAIRS, NamedRecipe, Plan
from facegen.evaluation.real import RealStream, real_labels
from facegen.evaluation.results import Result, versions
from facegen.evaluation.setting import check, face_stream, judge_of, pair_streams, protocol, resting
from facegen.evaluation.sides import Generated, Real
from facegen.evaluation.store import Store
from facegen.evaluation.streams import Stream
from facegen.metrics.extractors import Extractor
from facegen.metrics.fid3d import Mode

VERSION = 1  # of what is in a shard


def evaluate(
    generator: nn.Module,
    plan: Plan,
    real: Sequence[NamedRecipe],
    extractor: Extractor,
    folder: Path,
    processes: int | None = 1,
    rank: int = 0,
    world: int = 1,
    scratch: Path | None = None,
    judges: Mapping[str, Any] = MappingProxyType({}),
    say: Callable[[str], Any] = lambda text: None,
) -> list[Result]:
    """Figures of a generator beside real pictures, on the device that it is on.

    folder: where stores of rows are kept (see `facegen.evaluation.store`); scratch: another one for those of generated
    pictures. processes: started for the work; None for as many as are worth it. rank, world: of a distributed program
    in which every process calls this; the first gets the results, the others none. judges: perceptual distances for
    the metrics ppl and diversity, an extractor for identity, `Judges` for adherence. Leaves the generator and the
    global random numbers as they were. Raises ValueError for metrics that this generator or these recipes do not have.
    """
    check(generator, plan, real)
    started, begun = datetime.now(UTC), time.perf_counter()
    device = next(generator.parameters()).device
    extractor = extractor.to(device)
    with resting(generator):
        by_rows = bool(set(plan.metrics) - {*OF_PAIRS, ADHERENCE})
        shown = real if by_rows else []
        streams = [RealStream.of(name, recipe, extractor, plan.num_real, device) for name, recipe in shown]
        faces = face_stream(generator, plan, real, extractor)
        pairs = pair_streams(generator, plan, real, {name: judge.to(device) for name, judge in judges.items()})
        made = [*([faces] if by_rows else []), *pairs.values()]
        folders = [*[folder for _ in streams], *[scratch or folder for _ in made]]
        stores = _filled([*streams, *made], folders, processes, rank, world, say)
        adheres = adherence_figures(generator, plan, real, judges, rank, world) if ADHERENCE in plan.metrics else []
    if rank:
        return []
    sides = [_real_side(*each) for each in zip(shown, streams, stores, strict=False)]
    of_modes = _generated_sides(faces, stores[len(streams)]) if faces in made else {}
    of_pairs = {name: pair_values(store.all(each.rows)) for (name, each), store in _last(pairs, stores)}
    found = [*figures(plan, sides, of_modes, of_pairs), *adheres]
    took = {"started": started.isoformat(timespec="seconds"), "seconds": round(time.perf_counter() - begun, 2)}
    shared: dict[str, Any] = {
        "seed": plan.seed,
        "fingerprints": {name: recipe.fingerprint for name, recipe in real},
        "checkpoint": {"path": None, "sha256": faces.weights, "images_seen": None},
        "versions": versions(),
        "time": took | {"device": device.type},
    }
    settings = protocol(generator, plan, real, extractor)
    judged = {name: judge_of(each.judge) for name, each in pairs.items()}
    return [Result(**figure._asdict(), protocol=settings | judged.get(figure.metric, {}), **shared) for figure in found]


def _last(pairs: Mapping[str, PairStream], stores: Sequence[Store]) -> Iterable[tuple[tuple[str, PairStream], Store]]:
    return zip(pairs.items(), stores[len(stores) - len(pairs) :], strict=True)


def _filled(
    streams: Sequence[Stream],
    folders: Sequence[Path],
    processes: int | None,
    rank: int,
    world: int,
    say: Callable[[str], Any],
) -> list[Store]:
    """Stores of streams, with all their shards."""
    conditions = {"torch": torch.__version__, "version": VERSION}
    stores = [
        Store(folder, stream.about() | conditions | {"device": stream.device.type})
        for stream, folder in zip(streams, folders, strict=True)
    ]
    jobs = jobs_of(streams, stores, rank, world)
    if rank == 0:
        say_origins(streams, stores, jobs, say)
        processes = forecast(jobs, processes, say)
    fill(jobs, processes or 1)
    if world > 1:
        torch.distributed.barrier()
        if rank == 0:  # what the others wrote to disks of their own
            fill(jobs_of(streams, stores), processes or 1)
    return stores


def _real_side(named: NamedRecipe, stream: RealStream, store: Store) -> Real:
    rows, times = store.all(stream.rows), stream.views.times[: stream.rows]
    return Real(rows["features"], real_labels(named.recipe, stream), rows["pixels"], named.name, times)


def _generated_sides(stream: FaceStream, store: Store) -> dict[Mode, Generated]:
    rows = store.all(stream.rows)
    return {
        mode: Generated(rows[f"features_{number}"], rows[f"labels_{number}"], rows[f"pixels_{number}"], mode)
        for number, mode in enumerate(stream.modes)
    }
