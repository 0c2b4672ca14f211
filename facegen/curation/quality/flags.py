"""The column `flags`: for which of the cleaned datasets' reasons a person may want to leave a face out.

Cleaned FFHQ and CelebA-HQ leave out faces that Deep3DFaceRecon could not be fitted to: "extreme poses, occlusions,
blur, several people" (https://github.com/weihaox/cleaned-celebahq-ffhq); their lists give ids without reasons. Here
every reason is a limit on columns that were measured, so that other limits need no picture to be looked at again.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool

from facegen.curation.columns import Making, Whole
from facegen.data import table
from facegen.data.flags import FLAGS


class Limits(NamedTuple):
    """From where on a face is flagged; `facegen data describe` takes them as flags.NAME=VALUE.

    several_people: `second_face` at least. occluded: `occlusion` at least. sunglasses: `dark_glasses` at least. hat:
    `hat_area` at least. profile: |yaw| at least, degrees. cut_off: `outside` at least. low_resolution: `detail` below,
    pixels. grey: `chroma` below. blurred: `blur` at least, pixels of the picture.
    """

    several_people: float = 0.4
    occluded: float = 0.06
    sunglasses: float = 0.5
    hat: float = 0.2
    profile: float = 45
    cut_off: float = 0.2
    low_resolution: float = 64
    grey: float = 1.5
    blurred: float = 2


LIMITS = Limits()
_MEASURED = {  # flag: column, and whether it is too much or too little of it
    "several_people": ("second_face", True),
    "occluded": ("occlusion", True),
    "sunglasses": ("dark_glasses", True),
    "hat": ("hat_area", True),
    "cut_off": ("outside", True),
    "low_resolution": ("detail", False),
    "grey": ("chroma", False),
    "blurred": ("blur", True),
}
_YAWS = ("yaw_degrees", "head_yaw_degrees")  # of a camera where there is one
_READ = (*(column for column, _ in _MEASURED.values()), _YAWS[1])


def named_limits(settings: Mapping[str, Any]) -> Limits:
    """Limits of which some are other numbers. Raises ValueError for other names, and for what is no number."""
    for name, value in settings.items():
        if name not in Limits._fields or isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"flags.{name}: got {value!r}, expected numbers for some of: {', '.join(Limits._fields)}")
    return Limits(**settings)


def flags_group(limits: Limits = LIMITS) -> Whole:
    """`flags`: words of FLAGS, in their order; empty where nothing was found. What was not measured is not flagged."""
    return Whole("flags", _READ, partial(_flags, limits))


def _flags(limits: Limits, rows: pa.Table, making: Making) -> pa.Table:
    if _YAWS[0] in table.schema(making.table).names:
        rows = rows.append_column(_YAWS[0], table.read(making.table, [_YAWS[0]])[_YAWS[0]])
    found = flagged({name: rows[name].to_numpy() for name in rows.column_names if name != "id"}, limits)
    words = [[name for name in FLAGS if found[name][row]] for row in range(len(rows))]
    return pa.table({"id": rows["id"], "flags": pa.array(words, pa.list_(pa.string()))})


def flagged(columns: Mapping[str, np.ndarray], limits: Limits = LIMITS) -> dict[str, Bool[np.ndarray, "face"]]:
    """Which faces each flag is about, from measured columns; NaN is no reason."""
    found = {}
    for name, (column, is_too_much) in _MEASURED.items():
        values, limit = columns[column], getattr(limits, name)
        found[name] = values >= limit if is_too_much else values < limit
    yaw = columns[_YAWS[1]]
    if _YAWS[0] in columns:
        yaw = np.where(np.isfinite(columns[_YAWS[0]]), columns[_YAWS[0]], yaw)
    found["profile"] = np.abs(yaw) >= limits.profile
    return found
