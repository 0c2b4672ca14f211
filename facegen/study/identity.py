"""What makes a training or an evaluation another one: hashes of composed configurations, without what only concerns
the machine or the bookkeeping."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Settings that change how a result comes about but not the result: where it is written, on how many processes, with
# which logs. The cadence of ticks and snapshots stays, because checkpoints and curves depend on it.
_OF_TRAINING = {
    "name", "runs_dir", "resume", "finetune_from", "experiment", "datasets", "threads", "workers", "device",
    "processes", "keep_checkpoints", "keep_every_kimg", "evaluation", "fitting", "adherence", "held_out",
    "tensorboard", "wandb", "wandb_project", "wandb_group",
}  # fmt: skip
_OF_EVALUATION = {
    "checkpoint",
    "out",
    "datasets",
    "threads",
    "workers",
    "device",
    "processes",
    "batch_size",
    "download",
}
_OF_DATA = {"workers", "cache", "check"}
_LETTERS = 8


def training_hash(settings: Mapping[str, Any], start: str | None) -> str:
    """Eight hex digits of the resolved configuration of `facegen train`.

    `start` is the name of the run folder that its weights come from: its own hash is part of that, so a change of the
    first run changes all that follow from it. None: `finetune_from` of the settings, weights from outside the study.
    """
    kept = _without(settings, _OF_TRAINING, _OF_DATA)
    return _digest({**kept, "finetune_from": settings.get("finetune_from") if start is None else start})


def evaluation_key(settings: Mapping[str, Any], checkpoint: str) -> str:
    """Eight hex digits of the resolved configuration of `facegen evaluate` and the sha256 of the checkpoint."""
    batches = {"batch_size"} | _OF_DATA
    return _digest({"settings": _without(settings, _OF_EVALUATION, batches), "checkpoint": checkpoint})


def pictures_key(words: Sequence[str], checkpoint: str) -> str:
    """Eight hex digits of the settings of `facegen generate` and the sha256 of the checkpoint."""
    return _digest({"words": list(words), "checkpoint": checkpoint})


def file_sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without(settings: Mapping[str, Any], names: set[str], of_data: set[str]) -> dict[str, Any]:
    """Settings but for `names` and, inside the groups that describe images, `of_data`."""
    kept = {}
    for key, value in settings.items():
        if key in names:
            continue
        describes_images = key in ("data", "against") and isinstance(value, Mapping)
        kept[key] = {k: v for k, v in value.items() if k not in of_data} if describes_images else value
    return kept


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_LETTERS]
