"""What a denoising network is told beside the noisy latents and the time."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Context(NamedTuple):
    """Conditions of N samples as numbers; None where a network has no such input."""

    vector: Float[Tensor, "batch width"] | None = None  # added to the embedding of the time
    tokens: Float[Tensor, "batch token width"] | None = None  # attended to


class Residuals(NamedTuple):
    """What a control branch adds to a UNet (Zhang et al. 2023): one tensor for each skip connection, and the middle's.

    `down` is in the order of the encoder: its first convolution, then every layer and every downsampling.
    """

    down: tuple[Float[Tensor, "batch channel _height _width"], ...]
    mid: Float[Tensor, "batch channel height width"]
