"""The whole unwrapping at 1024 against golden3d 13, every key of it."""

from functools import cache

import numpy as np
import pytest

from facegen.morphable.uv.assets import VIEWS
from facegen.morphable.uv.blending import fill
from facegen.morphable.uv.complete import complete
from facegen.morphable.uv.ffhq_uv import BOXES
from tests.data.golden3d import arrays, keys
from tests.morphable.uv.golden_unwrap import golden_assets, golden_views

pytestmark = pytest.mark.parity
FILE = "13_ffhquv_unwrap.npz"
# The README's. Those without `_exact` were sampled at points rounded to 1/32 pixel, which moves edges of masks.
ON_MEANS, ON_PIXELS, AT_EDGES = 0.5, 3.0, 2.0


@cache
def made() -> dict[str, np.ndarray]:
    golden = arrays(FILE)
    assets = golden_assets(golden)
    views = golden_views(golden, assets)
    texture = complete([(views[name], assets.valid[name]) for name in VIEWS], assets).texture
    left = views["left"]
    filled = fill(assets.template, left.texture, left.mask, assets.valid["left"], assets.mouth).texture
    found = {f"{name}_remap_mask_mean8": _means(views[name].mask, 8) for name in VIEWS}
    found |= {"left_fill_mean8": _means(filled, 8), "result_mean4": _means(texture, 4)}
    boxes = dict(zip(golden["poisson_box_names"].tolist(), golden["poisson_boxes_r0r1c0c1"].tolist(), strict=True))
    for patch, box in (("eye", "l_eye"), ("mouth", "mouth")):
        first, end, left_column, right_column = boxes[box]
        found[f"result_patch_{patch}"] = texture[first:end, left_column:right_column]
    return found


def _means(image: np.ndarray, block: int) -> np.ndarray:
    height, width = (side // block for side in image.shape[:2])
    return image.reshape(height, block, width, block, *image.shape[2:]).mean(axis=(1, 3))


@pytest.mark.parametrize("name", keys(FILE))
def test_reference(name: str) -> None:
    theirs = arrays(FILE)[name]
    if name == "poisson_boxes_r0r1c0c1":
        assert {tuple(box) for box in theirs.tolist()} == set(BOXES)
    elif "remap_mask" in name or "fill" in name or "result" in name:
        stem = name.removesuffix("_exact")
        ours = made()[stem]
        assert ours.shape == theirs.shape
        difference = np.abs(ours - theirs)
        limit = ON_PIXELS if "patch" in stem else ON_MEANS if name != stem else AT_EDGES
        assert difference.max() <= limit and difference.mean() <= ON_MEANS
        if "mask" in name and name != stem:
            assert difference.mean() <= 1e-5  # a pixel here and there, where a mean is one half
    else:  # an input of the computation
        assert name.split("_")[0] in ("grid", "base", "asset", "poisson", *VIEWS)
