"""Inception-2015-12-05: the network of the Fréchet Inception Distance, with the quirks of its TensorFlow graph.

Names of parameters are those of the common PyTorch weights (`pt_inception-2015-12-05-6726825d.pth`).
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

NUM_FEATURES, INPUT_SIZE = 2048, 299

# A step is (name, channels, kernel, stride); a path its steps, and an inner tuple at its end forks it.
Step = tuple[str, int, tuple[int, int], int]
Path = tuple[Step | tuple[Step, ...], ...]


def _step(name: str, channels: int, kernel: int | tuple[int, int] = 1, stride: int = 1) -> Step:
    return name, channels, (kernel, kernel) if isinstance(kernel, int) else kernel, stride


class Unit(nn.Sequential):
    """Convolution without bias, batch norm, ReLU. With stride 1 the size is kept, else nothing is padded."""

    def __init__(self, inputs: int, step: Step, padded: bool = True) -> None:
        super().__init__()
        _, channels, kernel, stride = step
        padding = (kernel[0] // 2, kernel[1] // 2) if padded and stride == 1 else 0
        self.conv = nn.Conv2d(inputs, channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3)
        self.relu = nn.ReLU(inplace=True)


class Mixed(nn.Module):
    """Parallel paths, concatenated in their order, then the pooled input.

    pool: "average" and "max" keep the size and have a 1x1 unit `branch_pool` after them; "reduce" is a max pool of
    stride 2 without one. The average does not count the padding, as TensorFlow's.
    """

    def __init__(self, inputs: int, paths: tuple[Path, ...], pool: str, pool_channels: int = 192) -> None:
        super().__init__()
        self.paths, self.pool = [[_names(part) for part in path] for path in paths], pool
        for path in paths:
            channels = inputs
            for part in path:
                for step in _steps(part):
                    self.add_module(step[0], Unit(channels, step))
                channels = next(_steps(part))[1]
        if pool != "reduce":
            self.branch_pool = Unit(inputs, _step("branch_pool", pool_channels))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Tensor:
        """All paths' channels, side by side."""
        outputs = []
        for path in self.paths:
            branches = [x]
            for names in path:
                branches = [self.get_submodule(name)(branches[0]) for name in names]
            outputs += branches
        return torch.cat([*outputs, self._pooled(x)], dim=1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == "reduce":
            return F.max_pool2d(x, 3, stride=2)
        if self.pool == "max":
            return self.branch_pool(F.max_pool2d(x, 3, stride=1, padding=1))
        return self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False))


def _steps(part: Step | tuple[Step, ...]) -> Iterator[Step]:
    yield from (part,) if isinstance(part[0], str) else part  # pyright: ignore[reportReturnType]


def _names(part: Step | tuple[Step, ...]) -> list[str]:
    return [step[0] for step in _steps(part)]


def _mixed_5(inputs: int, pool_channels: int) -> Mixed:
    single = (_step("branch1x1", 64),)
    large = (_step("branch5x5_1", 48), _step("branch5x5_2", 64, 5))
    double = (_step("branch3x3dbl_1", 64), _step("branch3x3dbl_2", 96, 3), _step("branch3x3dbl_3", 96, 3))
    return Mixed(inputs, (single, large, double), "average", pool_channels)


def _mixed_6a() -> Mixed:
    single = (_step("branch3x3", 384, 3, 2),)
    double = (_step("branch3x3dbl_1", 64), _step("branch3x3dbl_2", 96, 3), _step("branch3x3dbl_3", 96, 3, 2))
    return Mixed(288, (single, double), "reduce")


def _mixed_6(width: int) -> Mixed:
    row, column = (1, 7), (7, 1)
    single = (_step("branch1x1", 192),)
    once = (_step("branch7x7_1", width), _step("branch7x7_2", width, row), _step("branch7x7_3", 192, column))
    kernels = (1, column, row, column, row)
    widths = (width, width, width, width, 192)
    twice = tuple(
        _step(f"branch7x7dbl_{number}", channels, kernel)
        for number, (channels, kernel) in enumerate(zip(widths, kernels, strict=True), start=1)
    )
    return Mixed(768, (single, once, twice), "average")


def _mixed_7a() -> Mixed:
    square = (_step("branch3x3_1", 192), _step("branch3x3_2", 320, 3, 2))
    long = (_step("branch7x7x3_1", 192), _step("branch7x7x3_2", 192, (1, 7)), _step("branch7x7x3_3", 192, (7, 1)))
    return Mixed(768, (square, (*long, _step("branch7x7x3_4", 192, 3, 2))), "reduce")


def _mixed_7(inputs: int, pool: str) -> Mixed:
    def fork(name: str) -> tuple[Step, Step]:
        return _step(f"{name}a", 384, (1, 3)), _step(f"{name}b", 384, (3, 1))

    single = (_step("branch1x1", 320),)
    once = (_step("branch3x3_1", 384), fork("branch3x3_2"))
    twice = (_step("branch3x3dbl_1", 448), _step("branch3x3dbl_2", 384, 3), fork("branch3x3dbl_3"))
    return Mixed(inputs, (single, once, twice), pool)


class Inception(nn.Module):
    """(N, 3, 299, 299), (x - 128) / 128 of pixels 0 to 255, to (N, 2048): the features before the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, _step("", 32, 3, 2), padded=False)
        self.Conv2d_2a_3x3 = Unit(32, _step("", 32, 3), padded=False)
        self.Conv2d_2b_3x3 = Unit(32, _step("", 64, 3))
        self.Conv2d_3b_1x1 = Unit(64, _step("", 80))
        self.Conv2d_4a_3x3 = Unit(80, _step("", 192, 3), padded=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _mixed_5(192, 32), _mixed_5(256, 64), _mixed_5(288, 64)
        self.Mixed_6a = _mixed_6a()
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (_mixed_6(width) for width in (128, 160, 160, 192))
        self.Mixed_7a = _mixed_7a()
        # the graph's very last pool takes the maximum where all blocks before it average
        self.Mixed_7b, self.Mixed_7c = _mixed_7(1280, "average"), _mixed_7(2048, "max")

    def forward(self, images: Float[Tensor, "batch 3 299 299"]) -> Float[Tensor, "batch 2048"]:
        """Features of images."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = F.max_pool2d(x, 3, stride=2)
        for name, block in self.named_children():
            x = block(x) if name.startswith("Mixed") else x
        return x.mean(dim=(2, 3))
