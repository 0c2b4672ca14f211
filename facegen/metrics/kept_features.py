"""The state of metrics that compare pairs of images, and so must keep a row for each of them all."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from torchmetrics.utilities.distributed import gather_all_tensors

_SETS = ("generated", "real")  # by `real`


class KeptRows(Metric):
    """Rows of a real and of a generated set, in parts that lie side by side: states that processes concatenate.

    parts: their names, and the types in which they are kept, as in {"features": torch.float32}.
    """

    full_state_update = False
    is_differentiable = False

    def __init__(self, parts: Mapping[str, torch.dtype], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = dict(parts)
        for name in (f"{which}_{part}" for which in _SETS for part in parts):
            self.add_state(name, [], dist_reduce_fx="cat")

    def keep(self, real: bool, *values: Tensor) -> None:
        """Add rows (N, width) of every part, in the order of the parts."""
        for (part, dtype), rows in zip(self.parts.items(), values, strict=True):
            getattr(self, f"{_SETS[real]}_{part}").append(rows.detach().to(dtype))

    def _sync_dist(self, dist_sync_fn: Callable = gather_all_tensors, process_group: Any = None) -> None:
        """Gather; a process without rows first learns how wide they are, or the programs would not understand."""
        for part, dtype in self.parts.items():
            names = [f"{which}_{part}" for which in _SETS]
            widths = [rows.shape[1] for name in names for rows in getattr(self, name)]
            mine = torch.tensor(max(widths, default=0), device=self.device)
            width = max(int(each) for each in dist_sync_fn(mine, group=process_group or self.process_group))
            for name in names:
                setattr(self, name, getattr(self, name) or [torch.zeros(0, width, dtype=dtype, device=self.device)])
        super()._sync_dist(dist_sync_fn, process_group)

    def rows(self, real: bool) -> list[Tensor]:
        """The parts of one set, each (N, width). Raises ValueError where there are no rows."""
        parts = [getattr(self, f"{_SETS[real]}_{part}") for part in self.parts]
        if len(parts[0]) == 0:
            got = f"{_SETS[real]} {next(iter(self.parts))}: got none"
            raise ValueError(f"{got}, expected both sets; call update with real=True and False")
        return [dim_zero_cat(part) for part in parts]


class KeptFeatures(KeptRows):
    """All features of a real and a generated set as float32. 50,000 images of 2048 features are 410 MB."""

    def __init__(self, extractor: nn.Module | None = None, **kwargs: Any) -> None:
        super().__init__({"features": torch.float32}, **kwargs)
        self.extractor = extractor

    def update(self, features: Tensor, real: bool) -> None:
        """Add features (N, d), or images (N, 3, H, W) uint8 for the extractor."""
        self.keep(real, features if self.extractor is None else self.extractor(features))

    def kept(self) -> tuple[Tensor, Tensor]:
        """Real and generated features. Raises ValueError where a set is empty."""
        return self.rows(True)[0], self.rows(False)[0]


def paired(real: Tensor, generated: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Both sets as finite float64 matrices (m, d) and (n, d) of `least` rows or more; ValueError says which is not."""
    for name, features in (("real", real), ("generated", generated)):
        if features.ndim != 2 or len(features) < least:
            raise ValueError(f"{name} features: got shape {tuple(features.shape)}, expected {least} rows or more")
        if not features.isfinite().all():
            raise ValueError(f"{name} features: some are not finite; look at the images they came from")
    if real.shape[1] != generated.shape[1]:
        raise ValueError(f"features: got {real.shape[1]} real and {generated.shape[1]} generated, expected as many")
    return real.detach().double(), generated.detach().double()
