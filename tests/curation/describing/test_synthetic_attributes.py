from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from facegen.curation.describing.synthetic_attributes import GROUPS, NEVER_DRAWN, hair_color, synthetic_attributes
from facegen.data.celeba import ATTRIBUTES
from facegen.morphable.procedural import styles
from facegen.morphable.procedural.paint import HAIR, HAIR_STEP

IDENTITY = ("nose width", "nose forward", "nose tip size", "narrow lids", "upper lip", "lower lip", "cheek bones")
IDENTITY += ("face length", "jaw width", "jaw corner", "fat")
IDENTITY += tuple(f"hair {name}" for name in ("cropped", "bald top", "fringe", "curls", "tousled", "length"))
EXPRESSION = ("jaw open", "smile", "frown", "squint")
ALBEDO = ("skin tone", "blush", "tired eyes", "beard", "moustache", "hair red", "hair green", "hair blue")
NAMES: dict[str, Sequence[str]] = dict(zip(GROUPS, (IDENTITY, EXPRESSION, ALBEDO), strict=True))


def judged(**modes: float) -> set[str]:
    """Attributes of a face whose modes are 0 but for these, given as `smile` or `hair_red`."""
    values = {name.replace("_", " "): value for name, value in modes.items()}
    assert set(values) <= {name for names in NAMES.values() for name in names}
    coefficients = {group: np.array([[values.get(name, 0.0) for name in names]]) for group, names in NAMES.items()}
    return {name for name, present in synthetic_attributes(coefficients, NAMES).items() if present[0]}


def hair(color: tuple[float, float, float]) -> dict[str, float]:
    return {
        f"hair_{name}": (value - mean) / HAIR_STEP
        for name, value, mean in zip(("red", "green", "blue"), color, HAIR, strict=True)
    }


@pytest.mark.parametrize(
    ("modes", "present", "absent"),
    [
        ({}, {"Brown_Hair", "No_Beard"}, {"Smiling", "Bald", "Mouth_Slightly_Open", "Pale_Skin"}),
        ({"smile": 0.8}, {"Smiling"}, set()),
        ({"smile": 0.8, "frown": 0.6}, set(), {"Smiling"}),
        ({"jaw_open": 0.4}, {"Mouth_Slightly_Open"}, {"Smiling"}),
        ({"hair_bald_top": 1.0, "hair_cropped": 1.5}, {"Bald"}, {"Receding_Hairline", "Brown_Hair"}),
        ({"hair_bald_top": 0.7, "hair_cropped": 0.5}, {"Receding_Hairline", "Brown_Hair"}, {"Bald"}),
        ({"hair_fringe": 1.0}, {"Bangs"}, set()),
        ({"hair_curls": 1.3}, {"Wavy_Hair"}, {"Straight_Hair"}),
        ({"hair_length": 1.0}, {"Straight_Hair"}, {"Wavy_Hair"}),
        ({"hair_length": 1.0, "hair_tousled": 1.0}, set(), {"Straight_Hair"}),
        ({"beard": 0.9, "moustache": 0.8}, {"Mustache"}, {"No_Beard", "5_o_Clock_Shadow"}),
        ({"beard": 0.3}, {"5_o_Clock_Shadow"}, {"No_Beard", "Mustache"}),
        ({"nose_width": 1.2, "nose_tip_size": 1.2}, {"Big_Nose"}, {"Pointy_Nose"}),
        ({"nose_forward": 1.5, "nose_width": -1.0}, {"Pointy_Nose"}, {"Big_Nose"}),
        ({"upper_lip": 1.0, "lower_lip": 1.0}, {"Big_Lips"}, set()),
        ({"face_length": 1.0, "jaw_width": -1.0}, {"Oval_Face"}, set()),
        ({"narrow_lids": 1.0, "squint": 0.4}, {"Narrow_Eyes"}, set()),
        ({"fat": 1.5, "cheek_bones": 1.5}, {"Chubby", "High_Cheekbones"}, set()),
        ({"tired_eyes": 1.2, "blush": 1.2, "skin_tone": 0.7}, {"Bags_Under_Eyes", "Rosy_Cheeks", "Pale_Skin"}, set()),
    ],
)
def test_planted_faces(modes: dict[str, float], present: set[str], absent: set[str]) -> None:
    found = judged(**modes)
    assert present <= found and not absent & found


def test_the_colours_of_the_palette() -> None:
    names = ("Black", "Brown", "Brown", "Brown", "Blond", "Blond", None, "Gray", "Gray", None)  # red and purple: none
    for color, name in zip(styles.HAIR_COLORS.colors, names, strict=True):
        found = {one for one in judged(**hair(tuple(color))) if one.endswith("_Hair")}
        assert found == ({f"{name}_Hair"} if name else set())


def test_what_is_not_known_and_what_is_never_drawn() -> None:
    coefficients = {group: np.zeros((2, len(names))) for group, names in NAMES.items()}
    found = synthetic_attributes(coefficients, NAMES)
    assert set(found) <= set(ATTRIBUTES)
    assert not {"Male", "Young", "Attractive", "Heavy_Makeup", "Wearing_Lipstick"} & set(found)
    assert all(not found[name].any() and found[name].shape == (2,) for name in NEVER_DRAWN)


def test_hair_color_is_that_of_the_palette() -> None:
    modes: Mapping[str, np.ndarray] = {
        f"albedo {name.replace('_', ' ')}": np.array([v]) for name, v in hair((0.5, 0.4, 0.3)).items()
    }
    np.testing.assert_allclose(hair_color(modes), [[0.5, 0.4, 0.3]])


def test_a_missing_mode_is_named() -> None:
    names = {**NAMES, "expression": EXPRESSION[:-1]}
    coefficients = {group: np.zeros((1, len(each))) for group, each in names.items()}
    with pytest.raises(ValueError, match="no mode 'expression squint'"):
        synthetic_attributes(coefficients, names)
