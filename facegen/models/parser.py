"""Training of a face-parsing network: pictures with masks of parts, worsened and moved at random."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from facegen.data.batch import FaceBatch
from facegen.data.part_orders import part_names, parts_of
from facegen.losses.parsing import parsing_loss
from facegen.models.adversarial import to_float
from facegen.models.draws import Draws
from facegen.models.supervised import Supervised, SupervisedTraining
from facegen.networks.parsing import ParsingNetwork

Pictures = Float[Tensor, "batch 3 side side"]


class ParsingAugmentation(NamedTuple):
    """The most that pictures are changed by; each by a random part of it. 0 for none.

    turn_degrees, scale, shift: of picture and mask, about the middle; scale: e to the power of so much; shift: in
    sides. contrast, color: factors on all channels and on each, e to the power of so much; brightness: added, 1 is
    grey to white. blur: 1 is a mean over 3x3 pixels. noise: its deviation.
    """

    turn_degrees: float = 10.0
    scale: float = 0.1
    shift: float = 0.05
    contrast: float = 0.25
    color: float = 0.1
    brightness: float = 0.2
    blur: float = 1.0
    noise: float = 0.08


class FaceParser(SupervisedTraining):
    """Adam on cross-entropy and Dice, with a learning rate that falls as half a cosine; `network_ema` is what is kept.

    column: of part ids in the batches: `parts` of synthetic faces, `mask` or `segmentation` of curated ones; it decides
    which parts there are and their order. size: side of the pictures that the network takes; batches have it too.
    total_kimg: where the learning rate ends, at 0. dice: weight of the Dice loss. augment: values of
    `ParsingAugmentation` that differ from its own. Everything else: see `SupervisedTraining`.
    """

    def __init__(
        self,
        column: str = "parts",
        size: int = 512,
        widths: Sequence[int] = (32, 64, 128, 256, 256, 256),
        blocks: int = 1,
        batch_size: int = 16,
        learning_rate: float = 1e-3,
        total_kimg: float = 1000.0,
        dice: float = 1.0,
        augment: dict[str, float] | None = None,
        ema_kimg: float = 1.0,
        **settings: Any,
    ) -> None:
        if not total_kimg > 0:
            raise ValueError(f"total_kimg: got {total_kimg}, expected thousand images above 0")
        changes, network = _augmentation(augment or {}), ParsingNetwork(part_names(column), size, widths, blocks)
        super().__init__(network, batch_size=batch_size, learning_rate=learning_rate, ema_kimg=ema_kimg, **settings)
        self.changes, self.column, self.dice = changes, column, dice
        self.total_images = max(round(total_kimg * 1000), 1)

    def rate(self) -> float:
        """The learning rate at this clock."""
        return self.learning_rate * (1 + math.cos(math.pi * min(self.images_seen / self.total_images, 1))) / 2

    def supervised(self, batch: FaceBatch, draws: Draws) -> Supervised:
        """Cross-entropy and Dice, and the share of right pixels. Raises ValueError for batches without their masks."""
        images, ids = self.examples(batch, draws)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.is_half):
            logits = self.network(images)
        losses = parsing_loss(logits.float(), ids, self.dice)
        return Supervised(losses.mean(), {"accuracy": (logits.argmax(dim=1) == ids).float().mean(dim=(1, 2))})

    def examples(self, batch: FaceBatch, draws: Draws) -> tuple[Pictures, Int[Tensor, "batch side side"]]:
        """Augmented pictures with the masks that belong to them."""
        images, ids = to_float(batch.images), parts_of(batch.conditions, self.column, self.network.parts)
        if images.shape[-1] != self.network.size:
            got = images.shape[-1]
            raise ValueError(f"parser: got pictures of {got} pixels, expected {self.network.size}; resolution=SIDE")
        images, ids = moved(images, ids, self.changes, draws)
        return worsened(images, self.changes, draws), ids[:, 0].long()

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        own = {"column": self.column, "losses": [self.dice, *self.changes]}
        return {**super().configuration(), **own, "learning_rate": [self.learning_rate, self.total_images]}


def moved(
    images: Pictures, ids: Tensor, most: ParsingAugmentation, draws: Draws
) -> tuple[Pictures, Float[Tensor, "batch 1 side side"]]:
    """Pictures and their masks, turned, scaled and shifted alike; ids are never mixed, edges go on outside."""
    turn, scale, *shift = (2 * draws.rand([len(images), 4]).to(images) - 1).unbind(dim=1)
    turn, scale = turn * math.radians(most.turn_degrees), (scale * most.scale).exp()
    cosine, sine, offset = scale * turn.cos(), scale * turn.sin(), 2 * most.shift
    rows = [torch.stack([cosine, -sine, shift[0] * offset]), torch.stack([sine, cosine, shift[1] * offset])]
    grid = F.affine_grid(torch.stack(rows).permute(2, 0, 1), list(images.shape), align_corners=False)
    place: dict[str, Any] = {"padding_mode": "border", "align_corners": False}
    return F.grid_sample(images, grid, **place), F.grid_sample(ids.to(images), grid, mode="nearest", **place)


def worsened(images: Pictures, most: ParsingAugmentation, draws: Draws) -> Pictures:
    """Pictures with other colours, blurred and noisy: generated ones are not as clean as photographs."""
    drawn = 2 * draws.rand([len(images), 7, 1, 1]).to(images) - 1
    factor = (most.contrast * drawn[:, :1] + most.color * drawn[:, 1:4]).exp()
    changed = images * factor + most.brightness * drawn[:, 4:5]
    blurred = F.avg_pool2d(F.pad(changed, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    changed = changed + (blurred - changed) * most.blur * (drawn[:, 5:6] + 1) / 2
    noise = draws.randn(list(images.shape)).to(images)
    return changed + noise * most.noise * (drawn[:, 6:7] + 1) / 2


def _augmentation(values: Mapping[str, float]) -> ParsingAugmentation:
    """ValueError for names that there are not."""
    if strange := [name for name in values if name not in ParsingAugmentation._fields]:
        known = ", ".join(ParsingAugmentation._fields)
        raise ValueError(f"augment: got {', '.join(strange)}, expected some of {known}")
    return ParsingAugmentation(**values)
