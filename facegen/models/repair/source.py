"""Repair of the faces of a recipe, batch by batch, into a folder that is itself a source of pictures."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from facegen.checkpoint import atomic_write
from facegen.curation.parts import locked
from facegen.data import Recipe
from facegen.data.batch import FaceBatch
from facegen.data.dataset import FaceDataset
from facegen.data.labels import LABELS_FILE
from facegen.data.pictures import save_png
from facegen.losses.perceptual import PerceptualDistance
from facegen.models.repair.choice import Judges
from facegen.models.repair.kept import Search, inverted, search_key
from facegen.models.repair.latents import Candidate, Encoded
from facegen.models.repair.repair import Repaired, repair

REPORT, KEPT = "repair.json", ".repair"  # in the folder of results
Entry = dict[str, Any]


class Plan(NamedTuple):
    """What is done to every picture.

    `judges`: with `named`, plain values that change whenever their answers can. `noise`, `seed`: of drawn candidates.
    """

    search: Search
    perceptual: PerceptualDistance
    wanted: Sequence[Candidate]
    judges: Judges
    named: dict[str, Any]
    noise: float = 0.0
    seed: int = 0
    batch_size: int = 8


def encode(
    generator: Any, recipe: Recipe, plan: Plan, folder: Path, count: int
) -> Float[Tensor, "picture num_ws w_dim"]:
    """Latents of at most `count` faces of a recipe, evenly chosen, and kept in `folder` as those of repairs are."""
    rows = np.unique(np.linspace(0, recipe.num_faces - 1, min(count, recipe.num_faces)).round().astype(int))
    dataset, found = FaceDataset(recipe, cache=False), []
    for batch in _batches(dataset, rows.tolist(), plan.batch_size, "encoding"):
        found.append(_latents(generator, batch, plan, folder))
    return torch.cat(found)


def repair_source(generator: Any, recipe: Recipe, encoded: Encoded, plan: Plan, out: Path) -> list[Entry]:
    """Repair every face of a recipe and return the entries of `repair.json`.

    OUT/ID.png: what was kept, of the generator's size. OUT/repair.json: for every face the candidate that was kept, or
    why none was, and all judgements. For a generator with geometry also dataset.json, the cameras. OUT/.repair: what a
    killed command goes on from. Nothing is computed twice. Raises ValueError for a folder with pictures of others.
    """
    earlier = made_before(out)
    entries: list[Entry] = []
    dataset = FaceDataset(recipe, cache=False)
    with locked(out / KEPT):
        for batch in _batches(dataset, range(recipe.num_faces), plan.batch_size, "repair"):
            entries += _repaired_batch(generator, batch, encoded, plan, out)
        for name in earlier - {entry["file"] for entry in entries}:
            _place(out, name).unlink(missing_ok=True)
        if recipe.labels:
            cameras = dict(zip(recipe.rows["id"].to_pylist(), recipe.label_table.tolist(), strict=True))
            _write(out / LABELS_FILE, {"labels": [[e["file"], cameras[e["id"]]] for e in entries if e["file"]]})
        _write(out / REPORT, {"settings": {**plan.search._asdict(), **plan.named}, "faces": entries})
    return entries


def _repaired_batch(generator: Any, batch: FaceBatch, encoded: Encoded, plan: Plan, out: Path) -> list[Entry]:
    """Entries of a batch, from an earlier run where it made the same; pictures are written before they are named."""
    record = out / KEPT / f"{_record_key(batch, encoded, plan)}.json"
    known = _entries(record)
    if known is not None and all(_digest(out / each["file"]) == each["sha256"] for each in known if each["file"]):
        return known
    ws, cameras, entries = _latents(generator, batch, plan, out / KEPT), _cameras(batch), []
    for place, face in enumerate(batch.ids):
        camera = None if cameras is None else cameras[place].to(ws)
        found = repair(
            generator, batch.images[place], ws[place], encoded, plan.wanted, plan.judges, camera, plan.noise, plan.seed
        )
        entry = _entry(face, found, plan)
        if found.chosen is not None:
            picture = rearrange(found.pictures[found.chosen], "c h w -> h w c").cpu().numpy()
            entry["sha256"] = _digest(save_png(picture, _place(out, entry["file"])))
        entries.append(entry)
    _write(record, entries)
    return entries


def _entry(face: str, found: Repaired, plan: Plan) -> Entry:
    """What repair.json says of a face."""
    every = [
        {**wanted._asdict(), **judged._asdict()} for wanted, judged in zip(plan.wanted, found.judgements, strict=True)
    ]
    if found.chosen is not None:
        file = {"id": face, "file": f"{face}.png", "sha256": None}
        return {**file, **every[found.chosen], "reason": None, "candidates": every}
    nearest = min(judged.distance for judged in found.judgements if judged.distance is not None)
    reason = f"somebody else: the nearest candidate is at {nearest:.2f}, max_distance is {plan.judges.max_distance}"
    return {"id": face, "file": None, "sha256": None, "reason": reason, "candidates": every}


def _latents(generator: Any, batch: FaceBatch, plan: Plan, folder: Path) -> Tensor:
    return inverted(generator, batch.images, _cameras(batch), plan.search, plan.perceptual, folder, progress=False)


def _cameras(batch: FaceBatch) -> Tensor | None:
    return batch.cameras if batch.cameras.shape[1] else None


def _batches(dataset: FaceDataset, rows: Sequence[int], size: int, title: str) -> Iterator[FaceBatch]:
    with tqdm(total=len(rows), desc=title, unit="img") as bar:
        for start in range(0, len(rows), size):
            batch = dataset[rows[start : start + size]]
            yield batch
            bar.update(len(batch.ids))


def _record_key(batch: FaceBatch, encoded: Encoded, plan: Plan) -> str:
    """What decides the entries of a batch."""
    content = [plan.wanted, plan.named, plan.judges.max_distance, plan.judges.enough, plan.noise, plan.seed, batch.ids]
    digest = hashlib.sha256(json.dumps(content).encode())
    digest.update(search_key(batch.images, _cameras(batch), plan.search, plan.perceptual).encode())
    for tensor in encoded:
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def made_before(out: Path) -> set[str]:
    """Names of the pictures of an earlier run. Raises ValueError where the folder holds what no run has made."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"out: {out} is a file, expected a folder for the results")
    if out.is_dir() and not (out / KEPT).is_dir() and any(out.iterdir()):
        raise ValueError(f"out: {out} holds other files; expected a new folder, or one of an earlier repair")
    records = [out / REPORT, *(out / KEPT).glob("*.json")]
    return {entry["file"] for record in records for entry in _entries(record) or () if entry["file"]}


def _place(out: Path, name: str) -> Path:
    """The file of a picture. Raises ValueError for a name that leads out of the folder."""
    if not (out / name).resolve().is_relative_to(out.resolve()):
        raise ValueError(f"repair: the face {name!r} would be written outside of {out}; rename it")
    return out / name


def _digest(path: Path) -> str:
    """sha256 of a file; nothing where it is gone."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _entries(path: Path) -> list[Entry] | None:
    """Entries of a record or report of this program; None where there is none, or half of one."""
    try:
        found = json.loads(path.read_text())
        entries = found["faces"] if isinstance(found, dict) else found
        return entries if all({"id", "file", "sha256"} <= entry.keys() for entry in entries) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write(path: Path, content: Any) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
