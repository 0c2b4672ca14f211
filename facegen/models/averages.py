"""Averaged weights of diffusion models: with a warm-up, with a half-life, or power functions of the training time."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn

from facegen.diffusion.averaging import exponent, power_decay, warmup_decay
from facegen.models.schedule import ema_beta, update_ema

KINDS = ("warmup", "half_life", "power")


class Averages(nn.Module):
    """How the networks that are kept follow those that are trained.

    kind: `warmup`, the decay min(decay, (1 + n) / (10 + n)) after n steps of Rombach et al. 2022; `half_life`, in
    thousand images (`kimg`), at most a twentieth of those seen; `power`, whose width is a part `stds` of the training
    time (Karras et al. 2024): the first is kept as the others are, the rest beside it, so that averages of any width
    can be made afterwards from stored ones (see `facegen.callbacks.averages`).
    """

    def __init__(
        self,
        kind: Literal["warmup", "half_life", "power"] = "warmup",
        decay: float = 0.9999,
        kimg: float = 10.0,
        stds: Sequence[float] = (0.05, 0.1),
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"ema: got {kind!r}, expected one of {', '.join(KINDS)}")
        if not 0 <= decay < 1 or kimg < 0 or not stds:
            raise ValueError(
                f"ema: got decay {decay}, kimg {kimg}, stds {list(stds)}; expected 0 to 1, 0 or more, some"
            )
        for std in stds if kind == "power" else ():
            exponent(std)
        self.kind, self.decay, self.kimg, self.stds = kind, decay, kimg, tuple(stds)
        self.beside = nn.ModuleList()  # networks of the second and further widths

    def start(self, averaged: Mapping[str, nn.Module]) -> "Averages":
        """With copies of the averaged networks for the widths beside the first."""
        if self.kind == "power":
            copies = [nn.ModuleDict(copy.deepcopy(dict(averaged))) for _ in self.stds[1:]]
            self.beside.extend(copies).requires_grad_(False)
        return self

    def configuration(self) -> dict[str, Any]:
        """What decides the averages."""
        settings = {
            "warmup": {"decay": self.decay},
            "half_life": {"kimg": self.kimg},
            "power": {"stds": list(self.stds)},
        }
        return {"kind": self.kind, **settings[self.kind]}

    def kept(self, averaged: Mapping[str, nn.Module]) -> dict[float, dict[str, nn.Module]]:
        """The averaged networks of each width of power functions."""
        return dict(zip(self.stds, self._all(averaged), strict=True)) if self.kind == "power" else {}

    def _all(self, averaged: Mapping[str, nn.Module]) -> list[dict[str, nn.Module]]:
        return [dict(averaged), *({name: one[name] for name in averaged} for one in self.beside)]  # type: ignore[index]

    @torch.no_grad()
    def update(
        self, averaged: Mapping[str, nn.Module], networks: Mapping[str, nn.Module], images_seen: int, batch_size: int
    ) -> None:
        """Follow the networks after a step that brought the clock to `images_seen`."""
        for parts, decay in zip(self._all(averaged), self.decays(images_seen, batch_size), strict=True):
            for name, network in networks.items():
                update_ema(parts[name], network, decay)

    def decays(self, images_seen: int, batch_size: int) -> list[float]:
        """The decay of each average at this clock."""
        if self.kind == "warmup":
            return [warmup_decay(images_seen // batch_size, self.decay)]
        if self.kind == "half_life":
            return [ema_beta(images_seen, batch_size, self.kimg, 0.05)]
        return [power_decay(std, batch_size, images_seen) for std in self.stds]
