"""The augmentation pipeline: what the discriminator sees instead of the images."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegen.networks.ada import transforms
from facegen.networks.ada.chance import Chance, Draw
from facegen.ops import downsample2d, setup_filter, upsample2d
from facegen.ops.sampling import grid_sample


def _apply_where(active: Tensor, images: Tensor, function: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Replace the samples marked in `active` (N,) by `function(samples, indices)`; the others cost nothing."""
    index = active.nonzero().squeeze(1)
    if len(index) == 0:
        return images
    if len(index) == len(images):
        return function(images, index)
    return images.index_copy(0, index, function(images[index], index))


class AugmentPipe(nn.Module):
    """Random geometry, colour, filtering and corruption of images (N, C, H, W) in [-1, 1], each with probability p.

    Arguments that name a transformation are multipliers of `p` (0 switches it off); `*_std` and `*_max` are its
    strength. C is 1, 3, or a multiple of 3 whose triplets share geometry and colour. Differentiable to any order.
    Buffers: `p` (), which training adjusts, and the filters `Hz_geom`, `Hz_fbank`.
    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", appendix B.
    """

    def __init__(
        self,
        xflip: float = 0,
        rotate90: float = 0,
        xint: float = 0,
        xint_max: float = 0.125,
        scale: float = 0,
        rotate: float = 0,
        aniso: float = 0,
        xfrac: float = 0,
        scale_std: float = 0.2,
        rotate_max: float = 1,
        aniso_std: float = 0.2,
        xfrac_std: float = 0.125,
        brightness: float = 0,
        contrast: float = 0,
        lumaflip: float = 0,
        hue: float = 0,
        saturation: float = 0,
        brightness_std: float = 0.2,
        contrast_std: float = 0.5,
        hue_max: float = 1,
        saturation_std: float = 1,
        imgfilter: float = 0,
        imgfilter_bands: Sequence[float] = (1, 1, 1, 1),
        imgfilter_std: float = 1,
        noise: float = 0,
        cutout: float = 0,
        noise_std: float = 0.1,
        cutout_size: float = 0.5,
    ) -> None:
        super().__init__()
        self.xflip, self.rotate90, self.xint, self.xint_max = xflip, rotate90, xint, xint_max
        self.scale, self.rotate, self.aniso, self.xfrac = scale, rotate, aniso, xfrac
        self.scale_std, self.rotate_max, self.aniso_std, self.xfrac_std = scale_std, rotate_max, aniso_std, xfrac_std
        self.brightness, self.contrast, self.lumaflip = brightness, contrast, lumaflip
        self.hue, self.saturation = hue, saturation
        self.brightness_std, self.contrast_std = brightness_std, contrast_std
        self.hue_max, self.saturation_std = hue_max, saturation_std
        self.imgfilter, self.imgfilter_bands, self.imgfilter_std = imgfilter, list(imgfilter_bands), imgfilter_std
        self.noise, self.cutout, self.noise_std, self.cutout_size = noise, cutout, noise_std, cutout_size
        self.p: Tensor
        self.Hz_geom: Tensor
        self.Hz_fbank: Tensor
        self.register_buffer("p", torch.ones([]))
        self.register_buffer("Hz_geom", setup_filter(transforms.SYM6))
        self.register_buffer("Hz_fbank", transforms.filter_bank())
        if len(self.imgfilter_bands) != len(self.Hz_fbank):
            raise ValueError(f"imgfilter_bands: got {len(self.imgfilter_bands)}, expected {len(self.Hz_fbank)} numbers")

    def forward(
        self,
        images: Tensor,
        debug_percentile: float | None = None,
        *,
        rand: Draw | None = None,
        randn: Draw | None = None,
    ) -> Tensor:
        """Augment; `debug_percentile` in [0, 1] replaces all draws by that quantile and opens every gate.

        `rand` and `randn` are called as `torch.rand` and `torch.randn` are, with a shape and a device.
        """
        if images.ndim != 4:
            raise ValueError(f"AugmentPipe: got images of shape {tuple(images.shape)}, expected (N, C, H, W)")
        chance = Chance(self.p, debug_percentile, rand, randn)
        # Half precision would move pixels by whole pixels: everything here is at least float32.
        with torch.autocast(images.device.type, enabled=False):
            images = images.to(torch.promote_types(images.dtype, torch.float32))
            images = self._warp(images, self._inverse_geometry(images, chance))
            images = self._recolor(images, self._color_matrix(images, chance))
            images = self._filter(images, chance)
            images = self._add_noise(images, chance)
            return self._cut_out(images, chance)

    def _inverse_geometry(self, images: Tensor, chance: Chance) -> Tensor | None:
        """(N, 3, 3) matrices from output to input pixels, about the centre; None when geometry is switched off."""
        batch, _, height, width = images.shape
        steps: list[Tensor] = []
        if self.xflip > 0:
            flip = chance.gate((chance.uniform(batch) * 2).floor(), 0, self.xflip * self.p)
            steps.append(transforms.scale2d(1 / (1 - 2 * flip), torch.ones_like(flip)))
        if self.rotate90 > 0:
            turns = chance.gate((chance.uniform(batch) * 4).floor(), 0, self.rotate90 * self.p)
            steps.append(transforms.rotate2d(math.pi / 2 * turns))
        if self.xint > 0:
            shift = chance.gate((chance.uniform(batch, 2) * 2 - 1) * self.xint_max, 0, self.xint * self.p)
            steps.append(transforms.translate2d(-(shift[:, 0] * width).round(), -(shift[:, 1] * height).round()))
        if self.scale > 0:
            factor = chance.gate(torch.exp2(chance.normal(batch) * self.scale_std), 1, self.scale * self.p)
            steps.append(transforms.scale2d(1 / factor, 1 / factor))
        # Two rotations, before and after the anisotropic scaling: the chance that either happens is rotate * p.
        once = 1 - (1 - self.rotate * self.p).clamp(0, 1).sqrt()
        if self.rotate > 0:
            angle = chance.gate((chance.uniform(batch) * 2 - 1) * (math.pi * self.rotate_max), 0, once)
            steps.append(transforms.rotate2d(angle))
        if self.aniso > 0:
            factor = chance.gate(torch.exp2(chance.normal(batch) * self.aniso_std), 1, self.aniso * self.p)
            steps.append(transforms.scale2d(1 / factor, factor))
        if self.rotate > 0 and chance.percentile is None:
            angle = chance.gate((chance.uniform(batch) * 2 - 1) * (math.pi * self.rotate_max), 0, once)
            steps.append(transforms.rotate2d(angle))
        if self.xfrac > 0:
            shift = chance.gate(chance.normal(batch, 2) * self.xfrac_std, 0, self.xfrac * self.p)
            steps.append(transforms.translate2d(-shift[:, 0] * width, -shift[:, 1] * height))
        if not steps:
            return None
        inverse = steps[0]
        for step in steps[1:]:
            inverse = inverse @ step
        return inverse

    def _warp(self, images: Tensor, inverse: Tensor | None) -> Tensor:
        if inverse is None:
            return images
        # Up- and downsampling by an orthogonal wavelet undo each other, so untransformed samples can skip both.
        moved = (inverse != torch.eye(3, device=inverse.device)).flatten(1).any(dim=1)
        return _apply_where(moved, images, lambda samples, index: self._resample(samples, inverse[index]))

    def _resample(self, images: Tensor, inverse: Tensor) -> Tensor:
        """Pad by reflection, upsample, sample bilinearly at the transformed places, downsample."""
        _, _, height, width = images.shape
        filter_pad = self.Hz_geom.shape[0] // 4
        left, top, right, bottom = self._margins(inverse, height, width, 2 * filter_pad)
        images = F.pad(images, [left, right, top, bottom], mode="reflect")
        images = _each_alone(images, lambda planes: upsample2d(planes, self.Hz_geom, up=2))
        # Coordinates: pixels about the centre -> upsampled pixels (a sample sits half a pixel off) -> [-1, 1].
        size = [len(images), images.shape[1], 2 * (height + 2 * filter_pad), 2 * (width + 2 * filter_pad)]
        linear, offset = inverse[:, :2, :2], 2 * inverse[:, :2, 2]
        offset = offset + offset.new_tensor([left - right, top - bottom]) - 0.5 + 0.5 * linear.sum(dim=2)
        extent_in = offset.new_tensor([images.shape[3], images.shape[2]])
        extent_out = offset.new_tensor([size[3], size[2]])
        theta = torch.cat([linear * (extent_out / extent_in[:, None]), (2 * offset / extent_in)[:, :, None]], dim=2)
        images = grid_sample(images, F.affine_grid(theta, size, align_corners=False))
        pads = -2 * filter_pad
        return _each_alone(
            images, lambda planes: downsample2d(planes, self.Hz_geom, down=2, padding=pads, flip_filter=True)
        )

    @staticmethod
    def _margins(inverse: Tensor, height: int, width: int, extra: int) -> list[int]:
        """How far the transformed corners of any sample lie outside: (left, top, right, bottom), at most size - 1."""
        x, y = (width - 1) / 2, (height - 1) / 2
        corners = inverse.new_tensor([[-x, x, x, -x], [-y, -y, y, y], [1, 1, 1, 1]])
        places = (inverse @ corners)[:, :2].transpose(0, 1).flatten(1)
        reach = torch.cat([-places, places]).amax(dim=1)
        margins = reach + reach.new_tensor([extra - x, extra - y] * 2)
        if not torch.isfinite(margins).all():
            raise ValueError("AugmentPipe: the transformation is not finite; debug_percentile must be inside (0, 1)")
        limit = margins.new_tensor([width - 1, height - 1] * 2)
        return [int(margin) for margin in margins.clamp_min(0).minimum(limit).ceil().tolist()]

    def _color_matrix(self, images: Tensor, chance: Chance) -> Tensor | None:
        """(N, 4, 4) matrices of homogeneous colours; None when colour is switched off."""
        batch, channels = images.shape[:2]
        luma, identity = transforms.luma_projection(images.device), torch.eye(4, device=images.device)
        steps: list[Tensor] = []
        if self.brightness > 0:
            offset = chance.gate(chance.normal(batch) * self.brightness_std, 0, self.brightness * self.p)
            steps.append(transforms.translate_colors(offset))
        if self.contrast > 0:
            factor = chance.gate(torch.exp2(chance.normal(batch) * self.contrast_std), 1, self.contrast * self.p)
            steps.append(transforms.scale_colors(factor))
        if self.lumaflip > 0:
            flip = chance.gate((chance.uniform(batch, 1, 1) * 2).floor(), 0, self.lumaflip * self.p)
            steps.append(identity - 2 * luma * flip)
        if self.hue > 0 and channels > 1:
            angle = chance.gate((chance.uniform(batch) * 2 - 1) * (math.pi * self.hue_max), 0, self.hue * self.p)
            steps.append(transforms.rotate_hue(angle))
        if self.saturation > 0 and channels > 1:
            factor = torch.exp2(chance.normal(batch, 1, 1) * self.saturation_std)
            factor = chance.gate(factor, 1, self.saturation * self.p)
            steps.append(luma + (identity - luma) * factor)
        if not steps:
            return None
        matrix = steps[0]
        for step in steps[1:]:
            matrix = step @ matrix
        return matrix

    @staticmethod
    def _recolor(images: Tensor, matrix: Tensor | None) -> Tensor:
        if matrix is None:
            return images
        matrix = matrix.to(images.dtype)
        batch, channels, height, width = images.shape
        if channels == 1:
            gray = matrix[:, :3].mean(dim=1)
            return images * gray[:, :3].sum(dim=1)[:, None, None, None] + gray[:, 3][:, None, None, None]
        if channels % 3:
            raise ValueError(f"AugmentPipe: got {channels} channels, expected 1 or a multiple of 3 for colour changes")
        triplets = images.reshape(batch, channels // 3, 3, height * width)
        colors = matrix[:, None, :3, :3] @ triplets + matrix[:, None, :3, 3:]
        return colors.reshape(images.shape)

    def _filter(self, images: Tensor, chance: Chance) -> Tensor:
        """Amplify or dampen frequency bands, keeping the expected power of natural images."""
        if self.imgfilter == 0:
            return images
        batch, (num_bands, taps) = len(images), self.Hz_fbank.shape
        power = torch.tensor([10.0, 1, 1, 1], device=images.device) / 13  # of natural images (1/f), per octave
        gains = torch.ones([batch, num_bands], device=images.device)
        for band, strength in enumerate(self.imgfilter_bands):
            factor = torch.exp2(chance.normal(batch) * self.imgfilter_std)
            factor = chance.gate(factor, 1, self.imgfilter * self.p * strength)
            factors = torch.ones_like(gains)
            factors[:, band] = factor
            gains = gains * factors / (power * factors.square()).sum(dim=1, keepdim=True).sqrt()
        if min(images.shape[2:]) <= taps // 2:
            raise ValueError(f"imgfilter: got {tuple(images.shape[2:])}, expected more than {taps // 2} pixels a side")
        kernels = (gains @ self.Hz_fbank).to(images.dtype)
        changed = (gains != gains.new_ones([])).any(dim=1)
        return _apply_where(changed, images, lambda samples, index: _convolve_axes(samples, kernels[index]))

    def _add_noise(self, images: Tensor, chance: Chance) -> Tensor:
        if self.noise == 0:
            return images
        sigma = chance.half_normal(len(images), 1, 1, 1) * self.noise_std
        sigma = chance.gate(sigma, 0, self.noise * self.p)
        return images + chance.randn(tuple(images.shape), device=images.device) * sigma

    def _cut_out(self, images: Tensor, chance: Chance) -> Tensor:
        if self.cutout == 0:
            return images
        batch, _, height, width = images.shape
        size = torch.full([batch, 1, 1, 1, 1], self.cutout_size, device=images.device)
        size = chance.gate(size, 0, self.cutout * self.p)[:, 0] / 2
        center = chance.uniform(batch, 2, 1, 1, 1)
        x = (torch.arange(width, device=images.device) + 0.5) / width
        y = (torch.arange(height, device=images.device) + 0.5) / height
        outside_x = (x - center[:, 0]).abs() >= size
        outside_y = (y[:, None] - center[:, 1]).abs() >= size
        return images * (outside_x | outside_y).to(images.dtype)


def _each_alone(images: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a function of single planes to the batch as one image of N * C channels.

    The processor's depthwise convolution works on blocks of channels and is an order slower with only three.
    """
    planes = function(images.flatten(0, 1)[None])
    return planes.reshape(*images.shape[:2], *planes.shape[2:])


def _convolve_axes(images: Tensor, kernels: Tensor) -> Tensor:
    """Correlate each sample with its own kernel (N, taps) along both axes, reflecting at the border."""
    batch, channels, height, width = images.shape
    pad = kernels.shape[1] // 2
    kernels = kernels.repeat_interleave(channels, dim=0)[:, None]
    flat = F.pad(images, [pad, pad, pad, pad], mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, kernels[:, :, None, :], groups=batch * channels)
    flat = F.conv2d(flat, kernels[:, :, :, None], groups=batch * channels)
    return flat.reshape(batch, channels, height, width)
