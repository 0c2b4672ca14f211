"""What is seen in pictures beside what was asked, as sums that add over batches and processes, and their figures."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from facegen.data.pictures import to_uint8
from facegen.evaluation.adherence_sides import (
    COEFFICIENTS,
    LANDMARKS,
    MASK,
    POSE,
    RENDER,
    SKETCH,
    Judges,
    Seen,
    Truth,
)
from facegen.metrics.adherence import (
    CoefficientCorrelation,
    MeanError,
    coefficient_errors,
    landmark_errors,
    render_differences,
)
from facegen.metrics.edges import EdgeF1
from facegen.metrics.geometry import rotation_degrees
from facegen.metrics.overlap import MaskIoU

_KINDS = ("identity", "expression", "albedo", "light")


class Comparison:
    """The metrics of what is seen beside what was asked, by name. sync: over the processes of a distributed program."""

    def __init__(self, names: Sequence[str], judges: Judges, sync: bool = False) -> None:
        self.names, how = names, {"sync_on_compute": sync}
        made: dict[str, Metric] = {}
        if MASK in names and judges.parser is not None:
            self.parts = judges.parser.parts
            made["mask_iou"] = MaskIoU(len(self.parts), **how)
        if COEFFICIENTS in names and judges.estimator is not None:
            self.kinds = _sizes(judges)
            made |= {f"{kind}_error": MeanError(**how) for kind in self.kinds}
            made |= {f"{kind}_correlation": CoefficientCorrelation(size, **how) for kind, size in self.kinds.items()}
        errors = {POSE: "pose_degrees", LANDMARKS: "landmarks_interocular", RENDER: "render_difference"}
        made |= {title: MeanError(**how) for name, title in errors.items() if name in names}
        if SKETCH in names:
            made["sketch"] = EdgeF1(**how)
        self.metrics: dict[str, Any] = made

    def update(self, seen: Seen, truth: Truth, judges: Judges) -> None:
        """Add faces."""
        if MASK in self.names:
            self.metrics["mask_iou"].update(seen.parts, truth.parts)
        if SKETCH in self.names:
            self.metrics["sketch"].update(seen.edges, truth.edges)
        if seen.sight is None:
            return
        if truth.cameras is not None:
            self.metrics["pose_degrees"].update(rotation_degrees(truth.cameras, seen.sight.labels.cpu()))
        if truth.landmarks is not None:
            asked, found = truth.landmarks.cpu(), seen.sight.landmarks.cpu()
            self.metrics["landmarks_interocular"].update(landmark_errors(found, asked))
        if truth.view is not None:
            renders, mask = to_uint8(truth.view.images).cpu(), truth.view.mask.cpu()
            self.metrics["render_difference"].update(render_differences(seen.images.cpu(), renders, mask))
        if truth.coefficients is not None and judges.estimator is not None:
            self._coefficients(seen.sight.coefficients, truth.coefficients, judges.estimator.model.split)

    def _coefficients(self, found: Tensor, asked: Tensor, split: Any) -> None:
        sides = [split(each.cpu())._asdict() for each in (found, asked)]
        for kind in self.kinds:
            one, other = (side[kind] for side in sides)
            self.metrics[f"{kind}_error"].update(coefficient_errors(one, other))
            self.metrics[f"{kind}_correlation"].update(one, other)

    def figures(self) -> dict[str, float]:
        """By name; those that no face allows are left out."""
        found: dict[str, float] = {}
        for name, metric in self.metrics.items():
            if isinstance(metric, MeanError):
                found[name] = float(metric.compute().value)
            elif isinstance(metric, MaskIoU):
                result = metric.compute()
                parts = {f"mask_iou/{part}": float(v) for part, v in zip(self.parts, result.parts, strict=True)}
                found |= {name: float(result.mean)} | parts
            elif isinstance(metric, EdgeF1):
                found |= {f"sketch_{name}": float(value) for name, value in metric.compute()._asdict().items()}
            else:
                found[name] = float(metric.compute())
        return {name: value for name, value in found.items() if value == value}


def _sizes(judges: Judges) -> dict[str, int]:
    """How many coefficients of each kind the judges' model has."""
    assert judges.estimator is not None
    model = judges.estimator.model
    parts = model.split(torch.zeros(1, model.layout.total))._asdict()
    return {kind: parts[kind].shape[1] for kind in _KINDS}
