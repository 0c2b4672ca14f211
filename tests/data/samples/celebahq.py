"""CelebA-HQ in small, as CelebAMask-HQ ships its images."""

from pathlib import Path

from PIL import Image

from tests.data.helpers import noise
from tests.data.samples.deep3d import add_reconstructions

NUMBERS = (0, 1, 2, 10, 1036, 9999, 20000, 29999)  # 1036 is on the list of excluded images
EXCLUDED = "1036"


def make_celebahq(root: Path, size: int = 64, cleaned: bool = True) -> Path:
    """`CelebAMask-HQ` with eight images, its lists, and the cleaned dataset's reconstructions with six digits."""
    home = root / "CelebAMask-HQ"
    (home / "CelebA-HQ-img").mkdir(parents=True)
    for number in NUMBERS:
        Image.fromarray(noise(size, number)).save(home / "CelebA-HQ-img" / f"{number}.jpg", quality=95)
    rows = [f"{number:>8} {1000 + number:>12} {number:06d}.jpg" for number in NUMBERS]
    (home / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(["idx orig_idx orig_file", *rows]))
    (home / "README.txt").write_text("non-commercial")
    if cleaned:
        add_reconstructions(home, [f"{number:06d}" for number in NUMBERS if str(number) != EXCLUDED])
    return home
