"""The geometry of plots that a server draws and a browser shows: values, shares of an axis, pixels, and back."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.ticker import MaxNLocator

Numbers = Float[np.ndarray, " row"]
Range = tuple[float, float]
_TAIL = 0.001  # of the values on either side may lie beyond an axis
_FAR = 3.0  # times the width of the others, and a tail does
_MARGIN = 0.02


class Axis(NamedTuple):
    """A column along an axis. What lies beyond its ends is drawn at them."""

    name: str
    low: float
    high: float

    def shares(self, values: Numbers) -> Numbers:
        """Places along the axis, 0 at its beginning and 1 at its end."""
        return np.clip((values - self.low) / (self.high - self.low), 0, 1)

    def between(self, one: float, other: float) -> Range:
        """The values between two shares; a share at an end or beyond it means everything on that side."""
        first, last = min(one, other), max(one, other)
        span = self.high - self.low
        low = -math.inf if first <= 0 else self.low + first * span
        return low, math.inf if last >= 1 else self.low + last * span

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Shares of at most that many round values, and how they are written."""
        values = [float(value) for value in MaxNLocator(max(most - 1, 1)).tick_values(self.low, self.high)]
        span = self.high - self.low
        return [((value - self.low) / span, f"{value:.6g}") for value in values if self.low <= value <= self.high]


def axis_of(name: str, values: Numbers) -> Axis:
    """An axis on which nearly all values can be told apart; a few that are far off do not stretch it."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Axis(name, 0.0, 1.0)
    low, inner_low, inner_high, high = (float(x) for x in np.quantile(known, [0, _TAIL, 1 - _TAIL, 1]))
    if high - low > _FAR * (inner_high - inner_low) > 0:
        low, high = inner_low, inner_high
    margin = _MARGIN * (high - low) or max(abs(low), 1.0) / 2
    return Axis(name, low - margin, high + margin)


class Frame(NamedTuple):
    """A picture of `width` x `height` pixels with a plot inside the margins."""

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def inner(self) -> tuple[int, int]:
        """Width and height of the plot inside."""
        return self.width - self.left - self.right, self.height - self.top - self.bottom

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Where shares of the axes lie; y goes up."""
        width, height = self.inner
        return self.left + x * width, self.top + (1 - y) * height

    def shares(self, x: float, y: float) -> tuple[float, float]:
        """Shares of the axes at a pixel, below 0 and above 1 in the margins."""
        width, height = self.inner
        return (x - self.left) / width, 1 - (y - self.top) / height
