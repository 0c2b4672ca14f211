"""In which numbers networks compute in training, where it is not float32 throughout."""

from typing import Literal

MixedPrecision = Literal["32-true", "bf16-mixed"]


def is_bfloat16(precision: MixedPrecision) -> bool:
    """Whether networks compute in bfloat16. Raises ValueError for a precision that there is not."""
    if precision not in ("32-true", "bf16-mixed"):
        raise ValueError(f"precision: got {precision!r}, expected 32-true or bf16-mixed")
    return precision == "bf16-mixed"
