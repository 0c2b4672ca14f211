"""Differentiable primitives of the StyleGAN family, to any order, on any device."""

from facegen.ops.activations import bias_act
from facegen.ops.convolution import conv2d_resample, modulated_conv2d
from facegen.ops.fir import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d

__all__ = [
    "bias_act",
    "conv2d_resample",
    "downsample2d",
    "filter2d",
    "modulated_conv2d",
    "setup_filter",
    "upfirdn2d",
    "upsample2d",
]
