"""Numbers of studies as people read them."""

from collections.abc import Callable
from typing import Any


def number(value: float) -> str:
    """Four significant digits, without powers of ten where they help nobody."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def signed(value: float) -> str:
    """`number` with its sign, and one digit less: differences are known less well."""
    return f"{value:+,.0f}" if abs(value) >= 1000 else f"{value:+.3g}"


def limits(interval: list[float] | None, text: Callable[[float], str] = number) -> str:
    """An interval; nothing where there is none."""
    return "" if interval is None else f"[{text(interval[0])}, {text(interval[1])}]"


def plus_minus(spread: dict[str, Any]) -> str:
    """Half the length of an interval around a mean."""
    half = spread["interval"][1] - spread["mean"]
    return f"{half:,.0f}" if half >= 100 else f"{half:.2g}"


def with_spread(spread: dict[str, Any]) -> str:
    """A mean, and half its interval where there is one."""
    return number(spread["mean"]) + (f" ± {plus_minus(spread)}" if spread["interval"] else "")
