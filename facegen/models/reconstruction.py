"""Training of a reconstruction network: one network, one optimiser, and something that says how wrong it is."""

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from facegen.data.batch import FaceBatch
from facegen.geometry.perspective import Perspective
from facegen.metrics.extractors.weights import read_weights
from facegen.models.adversarial import to_float
from facegen.models.draws import Draws
from facegen.models.supervised import Supervised, SupervisedTraining
from facegen.morphable.model import MorphableModel
from facegen.networks.reconstruction import ReconstructionNetwork


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


class Reconstruction(SupervisedTraining):
    """Adam with a learning rate that falls in steps of the clock `images_seen`; `network_ema` is what is kept.

    kind: `resnet50` or `resnet18`. size: side of the pictures that the network takes; others are resized.
    backbone: file of an ImageNet network of that kind to start from (`resnet50-*.pth` as published, or .safetensors);
    its last layer is left out.
    learning_rate: multiplied by `decay` every `decay_kimg` thousand images. ema_kimg: 0, the newest weights, as
    published. Each process normalises its own part of a batch, and the running statistics that are kept are the first
    process's. Everything else: see `SupervisedTraining`.
    """

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
        **settings: Any,
    ) -> None:
        if not decay_kimg > 0:
            raise ValueError(f"decay_kimg: got {decay_kimg}, expected thousand images above 0")
        layout, camera = supervision.model.layout, list(supervision.perspective)
        network = ReconstructionNetwork(kind, layout, use_last_fc, size, camera, supervision.morphable)
        if backbone is not None:
            fill_backbone(network, Path(backbone))
        super().__init__(network, batch_size=batch_size, learning_rate=learning_rate, ema_kimg=ema_kimg, **settings)
        self.supervision = supervision
        self.network.half_dtype = torch.bfloat16 if self.is_half else torch.float32
        self.decay, self.decay_images = decay, max(round(decay_kimg * 1000), 1)

    def rate(self) -> float:
        """The learning rate at this clock."""
        return self.learning_rate * self.decay ** (self.images_seen // self.decay_images)

    def supervised(self, batch: FaceBatch, draws: Draws) -> Supervised:
        """What the supervision says."""
        return self.supervision(self.network, to_float(batch.images), batch, draws)

    def configuration(self) -> dict[str, Any]:
        """What a resumed run must share with the run that it continues."""
        rate = [self.learning_rate, self.decay, self.decay_images]
        return {**super().configuration(), "learning_rate": rate, "supervision": self.supervision.configuration()}


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
