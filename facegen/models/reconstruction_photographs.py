"""Training of a reconstruction network on photographs, of which nobody knows the shape (Deng et al. 2019)."""

import copy
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from facegen.data.batch import FaceBatch
from facegen.data.conditions import PARTS
from facegen.geometry.alignment import identity_crop, identity_transforms
from facegen.geometry.alignment_augment import CropAugmentation, augment_crop, random_augmentation
from facegen.geometry.alignment_similarity import DEEP3D_SIZE
from facegen.geometry.perspective import DEEP3D, Perspective
from facegen.losses import reconstruction as losses
from facegen.losses.reconstruction import LossTerms, LossWeights
from facegen.models.draws import Draws
from facegen.models.supervised import Supervised
from facegen.morphable.model import MorphableModel
from facegen.morphable.procedural import PARTS as PROCEDURAL_PARTS
from facegen.morphable.render import render
from facegen.networks.reconstruction import ReconstructionNetwork, regress

_SKIN = ("skin", "nose", "u_lip", "l_lip", "lips")  # parts whose colour is albedo times light
_LANDMARKS = 68

Images = Float[Tensor, "batch 3 side side"]
Points = Float[Tensor, "batch 68 2"]


class Photographs:
    """Supervision by the pictures themselves, their landmarks and their skin: the face found has to look like them.

    morphable: file of the model, or `procedural`. perspective: camera of the crops; Deep3DFaceRecon's unless said.
    landmarks: column of 68 points (y down, (0, 0) the upper left corner) in pixels of pictures of `landmarks_side`, or
    of the batch's side where it is None. skin: column of part ids (`mask`, `segmentation` or `parts`). identity: a
    frozen network that embeds faces (N, 3, 112, 112), or a file of ArcFace weights. augment: as published.
    """

    def __init__(
        self,
        morphable: str = "procedural",
        perspective: Sequence[float] = DEEP3D,
        landmarks: str = "landmarks",
        landmarks_side: int | None = None,
        skin: str = "segmentation",
        identity: nn.Module | str | None = None,
        augment: bool = True,
        weights: dict[str, float] | None = None,
    ) -> None:
        if skin not in PARTS:
            raise ValueError(f"skin: got {skin!r}, expected a column of part ids: {', '.join(PARTS)}")
        self.morphable, self.perspective = str(morphable), Perspective(*perspective)  # type: ignore[arg-type]
        self.model = MorphableModel.load(morphable).with_perspective(self.perspective)
        self.columns, self.landmarks_side, self.augment = (landmarks, skin), landmarks_side, augment
        self.identity = load_identity(Path(identity)) if isinstance(identity, str) else identity
        self.weights = LossWeights(**(weights or {}))
        self._moved = self.model

    def configuration(self) -> dict[str, Any]:
        """Everything that decides the next step, as plain values."""
        return {
            "supervision": "photographs",
            "model": self.model.name,
            "columns": list(self.columns),
            "landmarks_side": self.landmarks_side,
            "augment": self.augment,
            "identity": self.identity is not None,
            "weights": list(self.weights),
        }

    def __call__(self, network: ReconstructionNetwork, images: Images, batch: FaceBatch, draws: Draws) -> Supervised:
        """The published losses over what the network sees in the pictures."""
        landmarks, skin = self.known(batch)
        if self.augment:
            images, landmarks, skin = augmented(images, landmarks, skin, draws)
        terms = self.terms(regress(network, images), images, landmarks, skin)
        figures = {f"loss/{name}": value for name, value in terms._asdict().items()}
        return Supervised(terms.total(self.weights), figures)

    def known(self, batch: FaceBatch) -> tuple[Points, Float[Tensor, "batch 1 side side"]]:
        """Landmarks in pixels of the batch's pictures, and where there is skin. Raises ValueError without them."""
        if missing := [name for name in self.columns if name not in batch.conditions]:
            columns = ",".join(self.columns)
            raise ValueError(f"reconstruction: the faces come without {missing[0]}; add data.conditions=[{columns}]")
        side, (points, ids) = batch.images.shape[-1], (batch.conditions[name] for name in self.columns)
        landmarks = points.float().unflatten(1, (_LANDMARKS, 2)) * (side / (self.landmarks_side or side))
        return landmarks, torch.isin(ids, skin_ids(self.columns[1]).to(ids)).float()

    def terms(
        self,
        coefficients: Float[Tensor, "batch coefficient"],
        images: Images,
        landmarks: Points,
        skin: Float[Tensor, "batch 1 side side"],
    ) -> LossTerms:
        """Unweighted losses of coefficients. Pictures count in [0, 1], landmarks in pixels of 224, as published."""
        model, side = self.model_on(images.device), images.shape[-1]
        face, parts = model(coefficients), model.split(coefficients)
        drawn = render(model, face, side, images)
        camera = self.perspective.at(side)
        found = camera.image_points(face.camera[:, model.landmarks])
        scale = DEEP3D_SIZE / side
        return LossTerms(
            self._identity_loss(drawn.images, images, found, landmarks),
            losses.photometric_loss((drawn.images + 1) / 2, (images + 1) / 2, drawn.masks * skin),
            losses.coefficient_loss(parts.identity, parts.expression, parts.albedo, self.weights[3:6]),
            losses.light_loss(parts.light),
            losses.landmark_loss(found * scale, landmarks * scale),
            losses.reflectance_loss(face.albedo, model.skin),
        )

    def _identity_loss(self, drawn: Images, images: Images, found: Points, landmarks: Points) -> Tensor:
        """Embeddings of the face drawn, cropped by its own landmarks, and of the picture."""
        if self.identity is None:
            return drawn.new_zeros([])
        network = self.identity.to(drawn.device)
        ours = network(identity_crop(drawn, identity_transforms(found.detach())))
        with torch.no_grad():
            theirs = network(identity_crop(images, identity_transforms(landmarks)))
        unit = torch.nn.functional.normalize
        return losses.identity_feature_loss(unit(ours, dim=1), unit(theirs, dim=1))

    def model_on(self, device: torch.device) -> MorphableModel:
        """The model on a device; the one that others share stays where it is."""
        if self._moved.mean_shape.device != device:
            self._moved = copy.deepcopy(self.model).to(device)
        return self._moved


def load_identity(path: Path) -> nn.Module:
    """The network of a file of ArcFace weights, frozen. Raises ValueError for other files."""
    from facegen.metrics.extractors.identity import arcface

    return arcface(path, variant="aligned").network.eval().requires_grad_(False)


def skin_ids(column: str) -> Tensor:
    """Ids of skin in a column of part ids."""
    order = PARTS[column] or PROCEDURAL_PARTS
    return torch.tensor([number for number, name in enumerate(order) if name in _SKIN])


def augmented(
    images: Images, landmarks: Points, skin: Float[Tensor, "batch 1 side side"], draws: Draws
) -> tuple[Images, Points, Float[Tensor, "batch 1 side side"]]:
    """Each picture with its own published augmentation; shifts of 10 pixels are of 224."""
    side, device = images.shape[-1], images.device
    pixels = (
        ((images + 1) * 127.5).round().clamp(0, 255).to("cpu", torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    )
    masks, points = (skin[:, 0] * 255).to("cpu", torch.uint8).numpy(), landmarks.cpu().numpy()
    crops = [
        augment_crop(image, known, _drawn(int(seed), side), mask)
        for image, known, mask, seed in zip(pixels, points, masks, draws.indices(2**31, len(images)), strict=True)
    ]
    made = torch.from_numpy(np.stack([crop.image for crop in crops])).to(device).permute(0, 3, 1, 2) / 127.5 - 1
    moved = torch.from_numpy(np.stack([crop.landmarks for crop in crops])).to(device, torch.float32)
    seen = torch.from_numpy(np.stack([crop.mask for crop in crops])).to(device)[:, None] / 255  # type: ignore[arg-type]
    return made, moved, seen


def _drawn(seed: int, side: int) -> CropAugmentation:
    drawn, scale = random_augmentation(random.Random(seed)), side / DEEP3D_SIZE
    return drawn._replace(shift_x=drawn.shift_x * scale, shift_y=drawn.shift_y * scale)
