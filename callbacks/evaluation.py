"""Figures of the averaged generator during training, and the checkpoint that has the best of them."""

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from facegen.callbacks.clock import due
from facegen.callbacks.reports import keep_rows, report
from facegen.evaluation import NamedRecipe, Plan, Result, evaluate
from facegen.evaluation.plan import ADHERENCE, Denoising
from facegen.evaluation.setting import check
from facegen.metrics.extractors import Extractor
from facegen.metrics.fid3d import modes

_AS_THE_MODEL = Denoising()
EVALUATIONS, BEST = "evaluations.jsonl", "best.ckpt"  # in the run folder
REAL = "data"  # what the training data is called in results
# The figures of a metric that has other names than its own; of these, more is better.
PARTS = {"precision_recall": ("precision", "recall", "density", "coverage")}


class Evaluation(pl.Callback):
    """Metrics of `num_images` generated pictures every so many kimg: a row in `evaluations.jsonl` and in the loggers.

    schedule: number of pictures to thousand images between evaluations, as in {1000: 50, 10000: 500}. Metrics are
    called after both, as in `fid1k`; real pictures are all of the training data. best: the name by whose best value
    `best.ckpt` is kept; None: the first metric of the largest number. folder: of the run; cache: where features of real
    pictures are kept for other runs. denoising: how a diffusion model makes its pictures.
    """

    def __init__(
        self,
        folder: str | Path,
        cache: str | Path,
        total_kimg: float,
        schedule: Mapping[int, float],
        extractor: Extractor,
        metrics: Sequence[str] = ("fid",),
        best: str | None = None,
        batch_size: int = 16,
        denoising: Denoising = _AS_THE_MODEL,
    ) -> None:
        for kimg in schedule.values():
            if not kimg > 0:
                raise ValueError(f"evaluation.every_kimg: got {kimg}, expected thousand images above 0")
        self.folder, self.cache, self.extractor = Path(folder), Path(cache), extractor
        self.total_images = round(total_kimg * 1000)
        how: dict[str, Any] = {"batch_size": batch_size, "denoising": denoising}
        self.every = {Plan(tuple(metrics), count, **how): kimg for count, kimg in schedule.items()}
        self.watched = _watched(best, metrics, sorted(schedule, reverse=True))
        self.best: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """The best figure so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from it."""
        self.best = state_dict["best"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Refuse what this generator and this data do not have; forget rows of the future."""
        for plan in self.every:
            if ADHERENCE in plan.metrics:
                raise ValueError(
                    "evaluation.metrics: adherence in training has settings of its own: adherence.parser=..."
                )
            check(pl_module.generator_ema, plan, [_real(trainer)])
        if trainer.is_global_zero:
            keep_rows(self.folder / EVALUATIONS, pl_module.images_seen)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Evaluate what is due, and everything at the end."""
        seen = pl_module.images_seen
        for plan, kimg in self.every.items():
            if seen >= self.total_images or due(seen, pl_module.batch_size, max(round(kimg * 1000), 1)):
                self._evaluate(trainer, pl_module, plan)

    def _evaluate(self, trainer: pl.Trainer, module: Any, plan: Plan) -> None:
        begun, scratch = time.perf_counter(), self.folder / ".evaluation"
        real = [_real(trainer)]
        place: dict[str, Any] = {"scratch": scratch, "rank": trainer.global_rank, "world": trainer.world_size}
        found = evaluate(module.generator_ema, plan, real, self.extractor, self.cache, **place)
        figures = {name_of(result, plan.num_images): result.value for result in found if result.value is not None}
        if trainer.is_global_zero:
            shutil.rmtree(scratch, ignore_errors=True)
            path, seconds = self.folder / EVALUATIONS, time.perf_counter() - begun
            report(trainer, path, module.images_seen, figures, seconds, "evaluation", "metrics", self.extractor.name)
        figures = trainer.strategy.broadcast(figures)
        if self.watched in figures and self._improves(figures[self.watched]):
            self.best = {"name": self.watched, "value": figures[self.watched], "images_seen": module.images_seen}
            trainer.save_checkpoint(self.folder / BEST)

    def _improves(self, value: float) -> bool:
        if self.best is None or not math.isfinite(value):
            return self.best is None and math.isfinite(value)
        more = self.watched.startswith(PARTS["precision_recall"])
        return value > self.best["value"] if more else value < self.best["value"]


def _real(trainer: pl.Trainer) -> NamedRecipe:
    return NamedRecipe(REAL, trainer.datamodule.recipe)  # type: ignore[attr-defined]


def name_of(result: Result, count: int) -> str:
    """The name of a figure: `fid1k`, and with its part where a metric has several, `fid3d1k/avg->data`."""
    name = f"{result.metric}{short(count)}"
    return name if result.name == REAL else f"{name}/{result.name}"


def short(count: int) -> str:
    """A number of pictures as names have it: 1k, 50k, 500."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def _watched(best: str | None, metrics: Sequence[str], counts: Sequence[int]) -> str:
    """The figure by which the best checkpoint is kept. Raises ValueError for one that there will not be."""
    known = []
    for name in metrics:
        for count in counts:
            if name == "fid3d":
                known += [f"{name}{short(count)}/{mode.name}" for mode in modes([REAL])]
            else:
                known += [f"{part}{short(count)}" for part in PARTS.get(name, (name,))]
    if best is not None and best not in known:
        raise ValueError(f"evaluation.best: got {best!r}, expected one of {', '.join(known)}")
    return best or known[0]
