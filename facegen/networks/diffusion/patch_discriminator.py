"""The discriminator that first stages are trained against: it judges patches, not pictures.

Isola et al. 2017, section 3.2, as latent diffusion's first stages use it; names of parameters are the official ones.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

_WIDEST = 8  # times the first width
_SPREAD = 0.02  # of weights at the start, as published


class PatchDiscriminator(nn.Module):
    """4x4 convolutions: `num_layers` that halve the size, two that do not; one logit for each overlapping patch.

    width: channels of the first layer, doubled by each further one up to eight times. Each process normalises its own
    part of a batch, as published.
    """

    def __init__(self, num_layers: int = 3, width: int = 64) -> None:
        super().__init__()
        if num_layers < 1 or width < 1:
            raise ValueError(f"discriminator: got {num_layers} layers of width {width}, expected numbers above 0")
        self.init_kwargs: dict[str, Any] = {"num_layers": num_layers, "width": width}
        self.least_size = 2 ** (num_layers + 1) + 2**num_layers  # the last layers take one pixel each
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        inputs = width
        for level in range(1, num_layers + 1):
            outputs = width * min(2**level, _WIDEST)
            stride = 2 if level < num_layers else 1
            layers.append(nn.Conv2d(inputs, outputs, 4, stride, padding=1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
            inputs = outputs
        layers.append(nn.Conv2d(inputs, 1, 4, 1, padding=1))
        self.main = nn.Sequential(*layers).apply(_start)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1 rows columns"]:
        """Logits of images in [-1, 1], high where a patch looks real. Raises ValueError for too small images."""
        if min(images.shape[2:]) < self.least_size:
            size = f"{images.shape[3]}x{images.shape[2]}"
            layers = self.init_kwargs["num_layers"]
            raise ValueError(
                f"discriminator: got images of {size}, expected at least {self.least_size} pixels for {layers} layers; "
                "use fewer layers"
            )
        return self.main(images)


def _start(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.normal_(layer.weight, 0.0, _SPREAD)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, _SPREAD)
        nn.init.zeros_(layer.bias)
