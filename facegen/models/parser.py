"""Training of a face-parsing network: pictures with masks of parts, worsened and moved at random."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from facegen.checkpoint import network_config
from facegen.data.batch import FaceBatch
from facegen.data.part_orders import part_names, parts_of
from facegen.losses.parsing import parsing_loss
from facegen.models.adversarial import to_float
from facegen.models.distributed import world
from facegen.models.draws import Draws
from facegen.models.gradients import GradientGuard
from facegen.models.resume import Resumable
from facegen.models.schedule import ema_beta, update_ema
from facegen.models.statistics import RunningMeans
from facegen.networks.parsing import ParsingNetwork

_ADVICE = "Lower the learning rate"

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


class FaceParser(Resumable, pl.LightningModule):
    """Adam on cross-entropy and Dice, with a learning rate that falls as half a cosine; `network_ema` is what is kept.

    column: of part ids in the batches: `parts` of synthetic faces, `mask` or `segmentation` of curated ones; it decides
    which parts there are and their order. size: side of the pictures that the network takes; batches have it too.
    batch_size: images per step over all processes. total_kimg: where the learning rate ends, at 0. dice: weight of the
    Dice loss. augment: values of `ParsingAugmentation` that differ from its own. ema_kimg: half-life of the averaged
    weights; 0 keeps the newest.
    Raises TrainingDiverged when gradients were not finite `max_nonfinite` steps in a row.
    """

    averaged = "network_ema"  # the network that is kept

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
        precision: Literal["32-true", "bf16-mixed"] = "32-true",
        seed: int = 0,
        max_nonfinite: int = 20,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        if precision not in ("32-true", "bf16-mixed"):
            raise ValueError(f"precision: got {precision!r}, expected 32-true or bf16-mixed")
        if not total_kimg > 0:
            raise ValueError(f"total_kimg: got {total_kimg}, expected thousand images above 0")
        self.changes = _augmentation(augment or {})
        self.network = ParsingNetwork(part_names(column), size, widths, blocks)
        self.network_ema = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.column, self.batch_size, self.seed, self.dice = column, batch_size, seed, dice
        self.mixed = precision == "bf16-mixed"
        self.learning_rate, self.total_images = learning_rate, max(round(total_kimg * 1000), 1)
        self.ema_kimg = ema_kimg
        self.guard = GradientGuard(max_nonfinite)
        self.images_seen = 0
        self.statistics = RunningMeans()

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What is trained, by name."""
        return {"network": self.network}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam with its usual averages."""
        return torch.optim.Adam(self.network.parameters(), lr=self.learning_rate, fused=True)

    def rate(self) -> float:
        """The learning rate at this clock."""
        return self.learning_rate * (1 + math.cos(math.pi * min(self.images_seen / self.total_images, 1))) / 2

    def training_step(self, batch: FaceBatch, batch_idx: int) -> None:
        """One step of Adam, then the average and the clock. Raises ValueError for batches without their masks."""
        rank, world_size = world()
        draws = Draws(self.seed, self.images_seen, self.device, rank, world_size)
        optimizer: Any = self.optimizers()
        for group in optimizer.param_groups:
            group["lr"] = self.rate()
        optimizer.zero_grad(set_to_none=True)
        images, ids = self.examples(batch, draws)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.mixed):
            logits = self.network(images)
        losses = parsing_loss(logits.float(), ids, self.dice)
        losses.mean().backward()
        norm = self.guard.check(self.network, f"network at {self.images_seen / 1000:.3f} kimg", _ADVICE, self.print)
        optimizer.step()
        update_ema(self.network_ema, self.network, ema_beta(self.images_seen, self.batch_size, self.ema_kimg, 0.05))
        self.images_seen += self.batch_size
        self.statistics.add("loss/total", losses)
        self.statistics.add("accuracy", (logits.argmax(dim=1) == ids).float().mean(dim=(1, 2)))
        if norm is not None:
            self.statistics.add("grad_norm", norm)

    def examples(self, batch: FaceBatch, draws: Draws) -> tuple[Pictures, Int[Tensor, "batch side side"]]:
        """Augmented pictures with the masks that belong to them."""
        images, ids = to_float(batch.images), parts_of(batch.conditions, self.column, self.network.parts)
        if images.shape[-1] != self.network.size:
            got = images.shape[-1]
            raise ValueError(f"parser: got pictures of {got} pixels, expected {self.network.size}; resolution=SIDE")
        images, ids = moved(images, ids, self.changes, draws)
        return worsened(images, self.changes, draws), ids[:, 0].long()

    # Save, restore -----------------------------------------------------------------------------------------------

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        data: Any = self._trainer.datamodule if self._trainer is not None else None  # type: ignore[attr-defined]
        return {
            "model": type(self).__name__,
            "network": network_config(self.network),
            "column": self.column,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "learning_rate": [self.learning_rate, self.total_images],
            "losses": [self.dice, *self.changes],
            "ema_kimg": self.ema_kimg,
            "data": None if data is None else data.recipe.fingerprint,
        }


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
