"""Layers that generator and discriminator share: equalised learning rate, label mapping, minibatch statistics."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from facegen.ops import bias_act, conv2d_resample, setup_filter
from facegen.ops.activations import activation as get_activation

RESAMPLE_FILTER = (1, 3, 3, 1)


def normalize_2nd_moment(x: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Scale vectors along `dim` to a mean square of one."""
    return x * (x.square().mean(dim=dim, keepdim=True) + eps).rsqrt()


def layout(dtype: torch.dtype, device: torch.device) -> torch.memory_format:
    """Memory format in which convolutions are fastest: channels last, except for float32 on a GPU."""
    fast = device.type == "cpu" or dtype != torch.float32
    return torch.channels_last if fast else torch.contiguous_format


class FullyConnectedLayer(nn.Module):
    """Linear layer whose stored weight has standard deviation 1 / lr_multiplier and is scaled at run time."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        activation: str = "linear",
        lr_multiplier: float = 1,
        bias_init: float = 0,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features, self.activation = in_features, out_features, activation
        self.weight = nn.Parameter(torch.randn([out_features, in_features]) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([out_features], float(bias_init))) if bias else None
        self.weight_gain = lr_multiplier / np.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def scaled(self) -> tuple[Tensor, Tensor | None]:
        """Weight (out, in) and bias (out,) with which the layer computes."""
        bias = self.bias if self.bias is None or self.bias_gain == 1 else self.bias * self.bias_gain
        return self.weight * self.weight_gain, bias

    def forward(self, x: Tensor) -> Tensor:
        """(N, in) to (N, out)."""
        weight, bias = self.scaled()
        weight = weight.to(x.dtype)
        if bias is None:
            return bias_act(x @ weight.t(), act=self.activation)
        bias = bias.to(x.dtype)
        return bias_act(torch.addmm(bias, x, weight.t()), act=self.activation, inplace=True)


class Conv2dLayer(nn.Module):
    """Convolution with equalised learning rate, resampling, bias, activation and clamp.

    A frozen layer (`trainable=False`, Freeze-D of Mo et al. 2020) keeps weight and bias as buffers.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: Sequence[float] = RESAMPLE_FILTER,
        conv_clamp: float | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__()
        self.activation, self.up, self.down, self.conv_clamp = activation, up, down, conv_clamp
        self.resample_filter: Tensor
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        self.padding = kernel_size // 2
        self.weight_gain = 1 / np.sqrt(in_channels * kernel_size**2)
        self.act_gain = get_activation(activation).gain
        weight = torch.randn([out_channels, in_channels, kernel_size, kernel_size])
        bias_value = torch.zeros([out_channels]) if bias else None
        self.weight: Tensor
        self.bias: Tensor | None
        if trainable:
            self.weight = nn.Parameter(weight)
            self.bias = None if bias_value is None else nn.Parameter(bias_value)
        else:
            self.register_buffer("weight", weight)
            self.register_buffer("bias", bias_value)

    def forward(self, x: Tensor, gain: float = 1) -> Tensor:
        """(N, in, H, W) to (N, out, H', W'), times `gain` before the clamp (which scales with it)."""
        gain = self.act_gain * gain
        clamp = None if self.conv_clamp is None else self.conv_clamp * (gain / self.act_gain)
        # For homogeneous activations the gain goes into the small weight instead of the large result.
        early = gain if get_activation(self.activation).homogeneous else 1.0
        weight = (self.weight * (self.weight_gain * early)).to(x.dtype)
        bias = None if self.bias is None else (self.bias * early).to(x.dtype)
        x = conv2d_resample(x, weight, self.resample_filter, self.up, self.down, self.padding, flip_weight=self.up == 1)
        return bias_act(x, bias, act=self.activation, gain=gain / early, clamp=clamp, inplace=True)


class MappingNetwork(nn.Module):
    """Map latents and labels to w: (N, z_dim), (N, c_dim) to (N, num_ws, w_dim), or (N, w_dim) without `num_ws`.

    `w_avg` follows the mean of w in train mode. Latents and the embedded label are each normalised first.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.995,
    ) -> None:
        super().__init__()
        if z_dim == 0 and c_dim == 0:
            raise ValueError("MappingNetwork: got z_dim=0 and c_dim=0, expected at least one input")
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = z_dim, c_dim, w_dim, num_ws
        self.num_layers, self.w_avg_beta = num_layers, w_avg_beta
        embed_features = 0 if c_dim == 0 else (embed_features or w_dim)
        widths = [z_dim + embed_features, *[layer_features or w_dim] * (num_layers - 1), w_dim]
        if c_dim > 0:
            self.embed = FullyConnectedLayer(c_dim, embed_features)
        for index in range(num_layers):
            layer = FullyConnectedLayer(
                widths[index], widths[index + 1], activation=activation, lr_multiplier=lr_multiplier
            )
            setattr(self, f"fc{index}", layer)
        self.w_avg: Tensor
        if num_ws is not None and w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros([w_dim]))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        update_w_avg: bool = True,
    ) -> Tensor:
        """Truncation pulls the first `truncation_cutoff` (default: all) ws towards `w_avg` by the factor psi."""
        parts = []
        if self.z_dim > 0:
            parts.append(normalize_2nd_moment(self._checked(z, self.z_dim, "z")))
        if self.c_dim > 0:
            parts.append(normalize_2nd_moment(self.embed(self._checked(c, self.c_dim, "c"))))
        x = torch.cat(parts, dim=1)
        for index in range(self.num_layers):
            x = getattr(self, f"fc{index}")(x)
        if update_w_avg and self.training:
            self.track(x.detach().mean(dim=0))
        if self.num_ws is None:
            return x
        x = x[:, None].repeat(1, self.num_ws, 1)
        if truncation_psi != 1:
            if self.w_avg_beta is None:
                raise ValueError("MappingNetwork: truncation needs the average w, which this network does not track")
            truncated = self.w_avg.lerp(x[:, :truncation_cutoff], truncation_psi)
            rest = x[:, x.shape[1] if truncation_cutoff is None else truncation_cutoff :]
            x = torch.cat([truncated, rest], dim=1)
        return x

    def track(self, w_mean: Tensor) -> None:
        """Move `w_avg` towards a batch mean (w_dim,)."""
        if self.num_ws is not None and self.w_avg_beta is not None:
            self.w_avg.copy_(w_mean.lerp(self.w_avg, self.w_avg_beta))

    @staticmethod
    def _checked(x: Tensor | None, width: int, name: str) -> Tensor:
        if x is None or x.ndim != 2 or x.shape[1] != width:
            got = None if x is None else tuple(x.shape)
            raise ValueError(f"mapping: got {name} of shape {got}, expected (N, {width})")
        return x.to(torch.float32)


class MinibatchStdLayer(nn.Module):
    """Append the standard deviation over groups of samples as `num_channels` constant maps (Karras et al. 2018).

    Sample i belongs to group i mod (N / group size).
    """

    def __init__(self, group_size: int | None, num_channels: int = 1) -> None:
        super().__init__()
        self.group_size, self.num_channels = group_size, num_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C + num_channels, H, W)."""
        batch, channels, height, width = x.shape
        size = batch if self.group_size is None else min(self.group_size, batch)
        if batch % size:
            raise ValueError(f"MinibatchStd: got a batch of {batch}, expected a multiple of the group size {size}")
        groups = x.reshape(size, -1, self.num_channels, channels // self.num_channels, height, width)
        deviation = (groups - groups.mean(dim=0)).square().mean(dim=0).add(1e-8).sqrt()
        maps = deviation.mean(dim=[2, 3, 4]).repeat(size, 1)
        return torch.cat([x, maps[:, :, None, None].expand(-1, -1, height, width)], dim=1)
