"""Training of a reconstruction network: one network, one optimiser, and something that says how wrong it is."""

import copy
from pathlib import Path
from typing import Any, Literal, Protocol

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from facegen.checkpoint import network_config
from facegen.data.batch import FaceBatch
from facegen.geometry.perspective import Perspective
from facegen.metrics.extractors.weights import read_weights
from facegen.models.adversarial import to_float
from facegen.models.distributed import world
from facegen.models.draws import Draws
from facegen.models.gradients import GradientGuard
from facegen.models.reconstruction_known import Supervised
from facegen.models.resume import Resumable
from facegen.models.schedule import ema_beta, update_ema
from facegen.models.statistics import RunningMeans
from facegen.morphable.model import MorphableModel
from facegen.networks.reconstruction import ReconstructionNetwork

_ADVICE = "Lower the learning rate"


class Supervision(Protocol):
    """What `KnownFaces` and `Photographs` are: a loss of a network over a batch, and the model of its coefficients."""

    morphable: str  # what `MorphableModel.load` takes
    model: MorphableModel  # before the camera of the pictures
    perspective: Perspective

    def configuration(self) -> dict[str, Any]:
        """Everything that decides the next step, as plain values."""
        ...

    def __call__(self, network: ReconstructionNetwork, images: Tensor, batch: FaceBatch, draws: Draws) -> Supervised:
        """The loss over images (N, 3, R, R) in [-1, 1] with the rest of their batch."""
        ...


class Reconstruction(Resumable, pl.LightningModule):
    """Adam with a learning rate that falls in steps of the clock `images_seen`; `network_ema` is what is kept.

    kind: `resnet50` or `resnet18`. size: side of the pictures that the network takes; others are resized.
    backbone: file of an ImageNet network of that kind to start from (`resnet50-*.pth` as published, or .safetensors);
    its last layer is left out.
    batch_size: images per step over all processes. learning_rate: multiplied by `decay` every `decay_kimg` thousand
    images. ema_kimg: half-life of the averaged weights; 0 keeps the newest, as published. Each process normalises its
    own part of a batch, and the running statistics that are kept are the first process's.
    Raises TrainingDiverged when gradients were not finite `max_nonfinite` steps in a row.
    """

    averaged = "network_ema"  # the network that is kept

    def __init__(
        self,
        supervision: Supervision,
        kind: str = "resnet50",
        size: int = 224,
        use_last_fc: bool = False,
        backbone: str | None = None,
        batch_size: int = 32,
        learning_rate: float = 1e-4,
        decay: float = 0.2,
        decay_kimg: float = 2600.0,
        ema_kimg: float = 0.0,
        precision: Literal["32-true", "bf16-mixed"] = "32-true",
        seed: int = 0,
        max_nonfinite: int = 20,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        if precision not in ("32-true", "bf16-mixed"):
            raise ValueError(f"precision: got {precision!r}, expected 32-true or bf16-mixed")
        if not decay_kimg > 0:
            raise ValueError(f"decay_kimg: got {decay_kimg}, expected thousand images above 0")
        self.supervision = supervision
        model = supervision.model
        camera = list(supervision.perspective)
        self.network = ReconstructionNetwork(kind, model.layout, use_last_fc, size, camera, supervision.morphable)
        if backbone is not None:
            fill_backbone(self.network, Path(backbone))
        self.network_ema = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.batch_size, self.seed = batch_size, seed
        self.network.half_dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
        self.learning_rate, self.decay, self.decay_images = learning_rate, decay, max(round(decay_kimg * 1000), 1)
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
        return self.learning_rate * self.decay ** (self.images_seen // self.decay_images)

    def training_step(self, batch: FaceBatch, batch_idx: int) -> None:
        """One step of Adam, then the average and the clock."""
        rank, world_size = world()
        draws = Draws(self.seed, self.images_seen, self.device, rank, world_size)
        optimizer: Any = self.optimizers()
        for group in optimizer.param_groups:
            group["lr"] = self.rate()
        optimizer.zero_grad(set_to_none=True)
        found = self.supervision(self.network, to_float(batch.images), batch, draws)
        found.loss.backward()
        where = f"network at {self.images_seen / 1000:.3f} kimg"
        norm = self.guard.check(self.network, where, _ADVICE, self.print)
        optimizer.step()
        update_ema(self.network_ema, self.network, ema_beta(self.images_seen, self.batch_size, self.ema_kimg, 0.05))
        self.images_seen += self.batch_size
        self._report(found, norm)

    def _report(self, found: Supervised, norm: Tensor | None) -> None:
        for name, values in {"loss/total": found.loss, **found.figures}.items():
            self.statistics.add(name, values)
        if norm is not None:
            self.statistics.add("grad_norm", norm)

    # Save, restore -----------------------------------------------------------------------------------------------

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        data: Any = self._trainer.datamodule if self._trainer is not None else None  # type: ignore[attr-defined]
        return {
            "model": type(self).__name__,
            "network": network_config(self.network),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "learning_rate": [self.learning_rate, self.decay, self.decay_images],
            "ema_kimg": self.ema_kimg,
            "supervision": self.supervision.configuration(),
            "data": None if data is None else data.recipe.fingerprint,
        }


def fill_backbone(network: ReconstructionNetwork, path: Path) -> None:
    """Start from the weights of an ImageNet network. Raises ValueError for files of another one."""
    if not path.is_file():
        raise ValueError(f"backbone: got {path}, expected a file of ImageNet weights such as resnet50-0676ba61.pth")
    found = {name: tensor for name, tensor in read_weights(path).items() if not name.startswith("fc.")}
    ours = {name: tensor for name, tensor in network.backbone.state_dict().items() if not name.startswith("fc.")}
    for name, tensor in ours.items():
        if name not in found and not name.endswith("num_batches_tracked"):
            raise ValueError(f"backbone: {path} has no tensor {name}, which a {network.init_kwargs['kind']} has")
        if name in found and found[name].shape != tensor.shape:
            got, expected = tuple(found[name].shape), tuple(tensor.shape)
            raise ValueError(f"backbone: {path}: {name} has shape {got}, expected {expected}")
    network.backbone.load_state_dict({name: found[name] for name in ours if name in found}, strict=False)
