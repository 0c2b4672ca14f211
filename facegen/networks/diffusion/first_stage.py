"""The first stage of latent diffusion: images to a small grid of latents and back, over diffusers' modules.

Rombach et al. 2022, section 3.1: a convolutional autoencoder whose latents are kept near a normal distribution (KL)
or are rounded to the nearest of a book of codes (VQ). Diffusion sees latents times `scaling_factor`.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Images = Float[Tensor, "batch 3 height width"]
Latents = Float[Tensor, "batch channel latent_height latent_width"]

_LOWEST, _HIGHEST = -30.0, 20.0  # of a log-variance, as published


class Gaussian(NamedTuple):
    """What a KL encoder says of the latents: independent normal distributions."""

    mean: Latents
    logvar: Latents

    @property
    def std(self) -> Latents:
        """The standard deviation."""
        return torch.exp(0.5 * self.logvar)

    def sample(self, noise: Latents) -> Latents:
        """The latents that standard normal `noise` of the same shape stands for."""
        return self.mean + self.std * noise


def gaussian(moments: Float[Tensor, "batch channels latent_height latent_width"]) -> Gaussian:
    """Moments (mean, then log-variance, along the channels), the log-variance clamped to [-30, 20] as published."""
    mean, logvar = moments.chunk(2, dim=1)
    return Gaussian(mean, logvar.clamp(_LOWEST, _HIGHEST))


class Quantised(NamedTuple):
    """Latents rounded to codes."""

    latents: Latents  # gradients pass as if nothing had been rounded
    indices: Int[Tensor, "batch latent_height latent_width"]
    loss: Float[Tensor, ""]  # of codes and encoder, to be added to that of the reconstruction


class Reconstructed(NamedTuple):
    """Images that went through the first stage, and what the losses need."""

    images: Images
    moments: Tensor  # what `FirstStage.encode` returned
    latents: Latents  # what was decoded, before `scaling_factor`
    quantised: Quantised | None  # None for KL


class FirstStage(nn.Module):
    """Autoencoder with `2 ** (len(channels) - 1)` pixels to a latent along each side.

    kind: `kl` or `vq`. img_resolution: side of the images that it is trained on; others whose sides are multiples of
    `factor` go through as well. latent_channels: of what diffusion sees. channels: of each resolution, the highest
    first; `blocks` residual blocks in each (one more in the decoder). attention: whether a resolution has attention,
    for each of `channels` (published vq-f8 and kl-f16 have it in the last ones); empty: none has.
    mid_attention: false for the published vq-f4-noattn. num_codes: of a VQ book. encoder_channels: what a VQ encoder
    gives before its codes, where that is not `latent_channels`. scaling_factor: kept as a buffer (1 / standard
    deviation of the latents for KL, 1 for published VQ models). Raises ValueError for configurations that cannot be.
    """

    def __init__(
        self,
        kind: Literal["kl", "vq"] = "kl",
        img_resolution: int = 256,
        latent_channels: int = 4,
        channels: Sequence[int] = (128, 256, 512),
        blocks: int = 2,
        norm_groups: int = 32,
        num_codes: int = 8192,
        attention: Sequence[bool] = (),
        mid_attention: bool = True,
        encoder_channels: int | None = None,
        scaling_factor: float = 1.0,
    ) -> None:
        super().__init__()
        self.init_kwargs: dict[str, Any] = {
            "kind": kind,
            "img_resolution": img_resolution,
            "latent_channels": latent_channels,
            "channels": list(channels),
            "blocks": blocks,
            "norm_groups": norm_groups,
            "num_codes": num_codes,
            "attention": list(attention),
            "mid_attention": mid_attention,
            "encoder_channels": encoder_channels,
            "scaling_factor": scaling_factor,
        }
        self.kind, self.img_resolution, self.latent_channels = kind, img_resolution, latent_channels
        self.factor = 2 ** (len(channels) - 1)
        _check(self.init_kwargs, self.factor)
        self.latent_size = img_resolution // self.factor
        self.scaling_factor: Tensor
        self.register_buffer("scaling_factor", torch.tensor(float(scaling_factor)))
        self.model: Any = _autoencoder(self.init_kwargs)

    def encode(self, images: Images) -> Float[Tensor, "batch channels latent_height latent_width"]:
        """Images in [-1, 1] to moments: KL mean and log-variance (2C channels), VQ latents that are not rounded (C).

        Raises ValueError where a side is no multiple of `factor`.
        """
        if images.shape[-1] % self.factor or images.shape[-2] % self.factor:
            size = f"{images.shape[-1]}x{images.shape[-2]}"
            raise ValueError(f"images: got {size} pixels, expected sides that are multiples of {self.factor}; resize")
        return self.model.quant_conv(self.model.encoder(images))

    def latents(self, moments: Tensor, noise: Latents | None = None) -> Latents:
        """What diffusion sees of `encode`'s moments: a sample of them (noise None: their mean) times the scale."""
        return self.unscaled(moments, noise) * self.scaling_factor

    def unscaled(self, moments: Tensor, noise: Latents | None = None) -> Latents:
        """Like `latents`, before the scale."""
        if self.kind == "vq":
            return moments
        distribution = gaussian(moments)
        return distribution.mean if noise is None else distribution.sample(noise)

    def decode(self, latents: Latents, quantise: bool = True) -> Images:
        """Images of what diffusion sees; a VQ model rounds it to codes first, unless `quantise` is false.

        A division by a plain number, as in diffusers' pipelines: exported models give the same bits.
        """
        latents = latents / float(self.scaling_factor)
        return self._decode(self.quantise(latents).latents if quantise and self.kind == "vq" else latents)

    def _decode(self, latents: Latents) -> Images:
        return self.model.decoder(self.model.post_quant_conv(latents))

    def quantise(self, latents: Latents) -> Quantised:
        """Round unscaled latents of a VQ model to their nearest codes.

        The loss is `mean((sg[q] - z)^2) + 0.25 mean((q - sg[z])^2)`: the published models have the smaller weight
        on the codes, not on the encoder as van den Oord et al. 2017 (equation 3) have it.
        """
        rounded, loss, (_, _, indices) = self.model.quantize(latents)
        return Quantised(rounded, indices.view(len(latents), *latents.shape[2:]), loss)

    def codes(self, indices: Int[Tensor, "batch latent_height latent_width"]) -> Latents:
        """The unscaled latents that indices of codes stand for."""
        return self.model.quantize.embedding(indices).movedim(-1, 1)

    def forward(self, images: Images, noise: Latents | None = None) -> Reconstructed:
        """Encode and decode images in [-1, 1]; noise: like the latents, for KL models (None: the mean)."""
        moments = self.encode(images)
        latents, quantised = self.unscaled(moments, noise), None
        if self.kind == "vq":
            quantised = self.quantise(latents)
            latents = quantised.latents
        return Reconstructed(self._decode(latents), moments, latents, quantised)

    @property
    def last_layer(self) -> nn.Parameter:
        """Weights of the decoder's last convolution, at which losses are balanced."""
        return self.model.decoder.conv_out.weight


def _check(kwargs: dict[str, Any], factor: int) -> None:
    kind, channels, groups = kwargs["kind"], kwargs["channels"], kwargs["norm_groups"]
    if kind not in ("kl", "vq"):
        raise ValueError(f"first stage: got kind {kind!r}, expected kl or vq")
    if not channels or any(width % groups for width in channels):
        raise ValueError(
            f"first stage: got channels {channels}, expected some, each a multiple of norm_groups={groups}"
        )
    if len(kwargs["attention"]) not in (0, len(channels)):
        raise ValueError(f"first stage: got attention for {len(kwargs['attention'])} levels, expected {len(channels)}")
    if kwargs["img_resolution"] % factor:
        raise ValueError(
            f"first stage: got img_resolution {kwargs['img_resolution']}, expected a multiple of {factor} "
            f"(channels has {len(channels)} levels)"
        )
    if not kwargs["scaling_factor"] > 0:
        raise ValueError(f"first stage: got scaling_factor {kwargs['scaling_factor']}, expected a number above 0")
    if kind == "kl" and kwargs["encoder_channels"] not in (None, kwargs["latent_channels"]):
        raise ValueError("first stage: encoder_channels is of VQ models; leave it out for kind=kl")


def _autoencoder(kwargs: dict[str, Any]) -> nn.Module:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.vq_model import VQModel

    levels = kwargs["attention"] or [False] * len(kwargs["channels"])
    inner = kwargs["encoder_channels"] or kwargs["latent_channels"]
    shared: dict[str, Any] = {
        "down_block_types": tuple("AttnDownEncoderBlock2D" if level else "DownEncoderBlock2D" for level in levels),
        "up_block_types": tuple("AttnUpDecoderBlock2D" if level else "UpDecoderBlock2D" for level in levels[::-1]),
        "block_out_channels": tuple(kwargs["channels"]),
        "layers_per_block": kwargs["blocks"],
        "latent_channels": inner,
        "norm_num_groups": kwargs["norm_groups"],
        "sample_size": kwargs["img_resolution"],
        "mid_block_add_attention": kwargs["mid_attention"],
        "scaling_factor": kwargs["scaling_factor"],
    }
    if kwargs["kind"] == "kl":
        return AutoencoderKL(**shared)
    return VQModel(**shared, num_vq_embeddings=kwargs["num_codes"], vq_embed_dim=kwargs["latent_channels"])
