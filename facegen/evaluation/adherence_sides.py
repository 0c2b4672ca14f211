"""The two sides of adherence: what faces are asked to show, and what judges see in pictures."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from facegen.checkpoint import load
from facegen.data.batch import FaceBatch
from facegen.data.conditions import PARTS
from facegen.data.dataset import FaceDataset
from facegen.data.hint_faces import KNOWN, face_coefficients
from facegen.data.part_orders import part_names, parts_of
from facegen.data.pictures import to_uint8
from facegen.data.sketches import sketch
from facegen.evaluation.estimator import MorphableEstimator, Sight
from facegen.geometry.cameras import LABEL_SIZE
from facegen.metrics.edges import thin_edges
from facegen.morphable.views import FaceView, face_view
from facegen.networks.parsing import ParsingNetwork, parse

MASK, POSE, LANDMARKS, COEFFICIENTS, RENDER, SKETCH = "mask", "pose", "landmarks", "coefficients", "render", "sketch"

_REACH = 1.5  # landmarks farther out, in sides of the picture, were marked in larger pictures

Pictures = UInt8[Tensor, "batch 3 side side"]


class Judges(NamedTuple):
    """What looks at pictures: for masks a parser, for everything about the face's shape an estimator."""

    parser: ParsingNetwork | None = None
    estimator: MorphableEstimator | None = None

    def to(self, device: torch.device | str) -> "Judges":
        """With their networks on a device."""
        parser = None if self.parser is None else self.parser.to(device)
        return Judges(parser, None if self.estimator is None else self.estimator.to(device))


class Truth(NamedTuple):
    """What N faces are asked to show; None for what is not known of them."""

    parts: UInt8[Tensor, "batch 1 side side"] | None = None
    cameras: Float[Tensor, "batch 25"] | None = None
    landmarks: Float[Tensor, "batch 68 2"] | None = None  # widths of the picture
    coefficients: Float[Tensor, "batch coefficient"] | None = None
    view: FaceView | None = None  # of the coefficients
    edges: Bool[np.ndarray, "batch side side"] | None = None


class Seen(NamedTuple):
    """What judges see in N pictures; None where there is no judge for it."""

    images: Pictures
    parts: UInt8[Tensor, "batch 1 side side"] | None = None
    sight: Sight | None = None
    edges: Bool[np.ndarray, "batch side side"] | None = None


def judged(dataset: FaceDataset, judges: Judges) -> tuple[str, ...]:
    """What can be judged of the faces of a dataset, whatever its batches hold: the same in every process.

    Raises ValueError for masks of other parts than the parser's.
    """
    known, cameras = dataset.conditions.values, dataset.labels.shape[1] == LABEL_SIZE
    estimator = judges.estimator is not None
    coefficients = estimator and (_own(known, cameras) or _others(known, judges))
    able = {
        MASK: judges.parser is not None and mask_column(list(known), judges.parser) is not None,
        POSE: estimator and cameras,
        LANDMARKS: estimator and ("landmarks" in known or coefficients),
        COEFFICIENTS: coefficients,
        RENDER: coefficients,
        SKETCH: "sketch" in known,
    }
    return tuple(name for name, possible in able.items() if possible)


def mask_column(columns: Sequence[str], parser: ParsingNetwork) -> str | None:
    """The column of masks whose ids mean what the parser's do; None without masks. ValueError for other orders only."""
    found = [name for name in PARTS if name in columns]
    fitting = [name for name in found if part_names(name) == parser.parts]
    if found and not fitting:
        raise ValueError(
            f"parser: got one of {len(parser.parts)} parts ({', '.join(parser.parts[:4])}, ...), expected those of the "
            f"faces' {found[0]} in their order ({', '.join(part_names(found[0])[:4])}, ...); train one on these masks"
        )
    return fitting[0] if fitting else None


def truth_of(batch: FaceBatch, judges: Judges, names: Sequence[str]) -> Truth:
    """What the faces of a batch show, for those of `names` that are judged."""
    found = Truth()
    if MASK in names and judges.parser is not None:
        column = mask_column(list(batch.conditions), judges.parser)
        found = found._replace(parts=parts_of(batch.conditions, str(column), judges.parser.parts))
    if POSE in names:
        found = found._replace(cameras=batch.cameras)
    if COEFFICIENTS in names and judges.estimator is not None:
        model = judges.estimator.model
        own = all(name in batch.conditions for name in KNOWN)
        coefficients = face_coefficients(batch, None, fine=False)[0] if own else batch.conditions["coefficients"]
        coefficients = coefficients.to(model.mean_shape)
        found = found._replace(coefficients=coefficients, view=face_view(model, coefficients, batch.images.shape[-1]))
    if LANDMARKS in names:
        found = found._replace(landmarks=_landmarks(batch, found.view))
    return found._replace(edges=_edges(batch.conditions["sketch"])) if SKETCH in names else found


@torch.no_grad()
def see(images: Pictures, judges: Judges, names: Sequence[str]) -> Seen:
    """What judges see in pictures."""
    seen = Seen(images)
    if MASK in names and judges.parser is not None:
        device = next(judges.parser.parameters()).device
        found = parse(judges.parser, images.to(device) / 127.5 - 1)
        seen = seen._replace(parts=found.to(torch.uint8).cpu())
    if {POSE, LANDMARKS, COEFFICIENTS} & set(names) and judges.estimator is not None:
        seen = seen._replace(sight=judges.estimator.look(images, len(images)))
    if SKETCH in names:
        pixels = np.ascontiguousarray(images.permute(0, 2, 3, 1).cpu().numpy())
        seen = seen._replace(edges=np.stack([thin_edges(sketch(each)) for each in pixels]))
    return seen


def load_parser(path: str | Path) -> ParsingNetwork:
    """A parser from a run or an export. Raises ValueError for anything else."""
    found = load(path)
    if not isinstance(found, ParsingNetwork):
        raise ValueError(f"parser: {path} holds a {type(found).__name__}, expected a network of model=parser")
    return found


def _own(columns: Collection[str], cameras: bool) -> bool:
    """Whether faces say their own coefficients, as synthetic ones do."""
    return cameras and all(name in columns for name in KNOWN)


def _others(columns: dict[str, NDArray], judges: Judges) -> bool:
    """Whether there are fitted coefficients, of as many numbers as the estimator's model has."""
    if "coefficients" not in columns or judges.estimator is None:
        return False
    return columns["coefficients"].shape[1] == judges.estimator.model.layout.total


def _landmarks(batch: FaceBatch, view: FaceView | None) -> Float[Tensor, "batch 68 2"]:
    """Those of the coefficients, or else the marked ones, which must be in pixels of these pictures."""
    side = batch.images.shape[-1]
    if view is not None:
        return view.landmarks / side
    points = batch.conditions["landmarks"].float().unflatten(1, (68, 2)) / side
    if points.numel() and (farthest := float(points.nan_to_num().abs().max())) > _REACH:
        got = f"landmarks up to {farthest * side:.0f} pixels in pictures of {side}"
        raise ValueError(f"adherence: got {got}; expected them in pixels of the pictures that are trained on")
    return points


def _edges(sketches: Tensor) -> NDArray[np.bool_]:
    grey = sketches.float().mean(dim=1) if sketches.dtype == torch.uint8 else to_uint8(sketches).float().mean(dim=1)
    return np.stack([thin_edges(each) for each in grey.round().to(torch.uint8).cpu().numpy()])
