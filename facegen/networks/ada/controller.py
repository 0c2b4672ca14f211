"""The rule that adjusts the strength of the augmentation while the discriminator overfits or not."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class AdaController(nn.Module):
    """Keep the mean sign of the logits of real images near `target` by moving the probability p.

    Karras et al. 2020, section 3: p goes up when r_t = E[sign(D(real))] is above the target and down when below, so
    that `kimg` thousand images take it from 0 to 1. The signs since the last adjustment are buffers: a checkpoint
    taken between two adjustments continues exactly.
    """

    def __init__(self, target: float = 0.6, kimg: float = 500, interval: int = 4) -> None:
        super().__init__()
        if interval < 1 or kimg <= 0:
            raise ValueError(f"AdaController: got interval={interval}, kimg={kimg}, expected positive numbers")
        self.target, self.kimg, self.interval = target, kimg, interval
        self.sign_sum: Tensor
        self.num_signs: Tensor
        self.num_iterations: Tensor
        self.register_buffer("sign_sum", torch.zeros([]))
        self.register_buffer("num_signs", torch.zeros([]))
        self.register_buffer("num_iterations", torch.zeros([], dtype=torch.int64))

    @torch.no_grad()
    def observe(self, logits: Tensor) -> None:
        """Count the signs of the discriminator's logits for real images (any shape; sign(0) = 0)."""
        self.sign_sum += logits.sign().sum().to(self.sign_sum.dtype)
        self.num_signs += logits.numel()

    @property
    def mean_sign(self) -> Tensor:
        """r_t since the last adjustment, float64 (); NaN while nothing was observed."""
        return self.sign_sum.double() / self.num_signs.double()

    @torch.no_grad()
    def step(self, p: Tensor, batch_size: int, reduce: Callable[[Tensor], Tensor] | None = None) -> bool:
        """Call once after every iteration of `batch_size` images (of all processes); adjusts `p` in place when due.

        p: float32 (), `AugmentPipe.p`; never negative, with no upper limit. `reduce` sums a tensor over processes.
        Returns whether an adjustment was made.
        """
        self.num_iterations += 1
        if int(self.num_iterations) % self.interval != 0:
            return False
        if reduce is not None:
            self.sign_sum, self.num_signs = reduce(torch.stack([self.sign_sum, self.num_signs])).unbind()
        direction = torch.nan_to_num(self.mean_sign - self.target).sign().to(p.dtype)
        p.copy_((p + direction * (batch_size * self.interval / (self.kimg * 1000))).clamp_min(0))
        self.sign_sum, self.num_signs = torch.zeros_like(self.sign_sum), torch.zeros_like(self.num_signs)
        return True
