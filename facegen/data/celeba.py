"""CelebA's attributes and partition for the faces of CelebA-HQ, from the files that CelebAMask-HQ ships.

https://github.com/switchablenorms/CelebAMask-HQ: `CelebAMask-HQ-attribute-anno.txt` has a line for each face, and
`CelebA-HQ-to-CelebA-mapping.txt` says which image of CelebA it was made from.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int8

ATTRIBUTES = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses"),
    *("Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
    *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks"),
    *("Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
    *("Wearing_Necklace", "Wearing_Necktie", "Young"),
)
VALIDATION, TEST = 162771, 182638  # first image of CelebA in MaskGAN's validation and test parts


class Attributes(NamedTuple):
    """Names of images without suffix, and for each the 40 attributes: -1 absent, 1 present."""

    ids: list[str]
    values: Int8[np.ndarray, "image 40"]

    def named(self, row: int) -> dict[str, int]:
        """The attributes of one image by name."""
        return dict(zip(ATTRIBUTES, self.values[row].tolist(), strict=True))


def read_attributes(path: Path) -> Attributes:
    """Read the number of images, the 40 names, and a line "<id>.jpg v1 ... v40" for each image.

    Raises ValueError that names the file and the line for anything else.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if len(lines) < 2 or not lines[0].strip().isdecimal() or tuple(lines[1].split()) != ATTRIBUTES:
        raise ValueError(f"{path}: expected the number of images in line 1 and CelebA's 40 attributes in line 2")
    rows = [line.split() for line in lines[2:] if line.strip()]
    if len(rows) != int(lines[0]):
        raise ValueError(f"{path}: {len(rows)} images, line 1 says {lines[0].strip()}; copy the file again")
    for number, row in enumerate(rows, 3):
        if len(row) != len(ATTRIBUTES) + 1 or not {"-1", "1"} >= set(row[1:]):
            raise ValueError(f"{path}, line {number}: expected a name and 40 values of -1 or 1, got {len(row)} entries")
    values = np.array([row[1:] for row in rows], dtype=np.int8).reshape(-1, len(ATTRIBUTES))
    return Attributes([Path(row[0]).stem for row in rows], values)


def read_mapping(path: Path) -> dict[int, int]:
    """CelebA's image for each face of CelebA-HQ: the second and first columns, below a header.

    Raises ValueError that names the file and the line for anything else.
    """
    images = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines()[1:], 2):
        match line.split():
            case [face, image, _name] if face.isdecimal() and image.isdecimal() and int(face) not in images:
                images[int(face)] = int(image)
            case []:
                pass
            case _:
                raise ValueError(
                    f"{path}, line {number}: expected a new face, CelebA's number and name, got {line!r:.60}"
                )
    return images


def partition(celeba_index: int) -> str:
    """`train`, `val` or `test`: the part of an image of CelebA as MaskGAN divides CelebA-HQ."""
    return "train" if celeba_index < VALIDATION else "val" if celeba_index < TEST else "test"
