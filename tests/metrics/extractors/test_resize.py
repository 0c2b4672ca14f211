"""Resize filters against the programs that define them."""

import numpy as np
import pytest
import torch

from facegen.metrics.extractors.resize import (
    Box,
    antialiased_bicubic,
    clean_bicubic,
    fixed_crop,
    legacy_bilinear,
    pillow_bicubic,
    standardised,
)
from tests.metrics.extractors.helpers import pictures

SIZES = [(64, 64), (512, 512), (299, 299), (40, 70)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_legacy_bilinear_is_tensorflows(height: int, width: int) -> None:
    reference = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    images = pictures(2, height, width)
    expected = reference.interpolate_bilinear_2d_like_tensorflow1x(images.float(), size=(299, 299), align_corners=False)
    found = legacy_bilinear(images, 299)
    assert found.dtype == torch.float32 and (found - expected).abs().max() <= 1e-6 * 255


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_clean_bicubic_is_clean_fids(height: int, width: int) -> None:
    reference = pytest.importorskip("cleanfid.resize")
    images = pictures(2, height, width)
    resize = reference.build_resizer("clean")
    expected = torch.stack([torch.from_numpy(resize(image.permute(1, 2, 0).numpy())) for image in images])
    assert torch.equal(clean_bicubic(images, 299), expected.permute(0, 3, 1, 2))


def test_pillow_bicubic_is_torchvisions() -> None:
    torchvision = pytest.importorskip("torchvision.transforms.v2.functional")
    from PIL import Image

    images = pictures(2, 90, 90)
    expected = []
    for image in images:
        resized = torchvision.resize(
            Image.fromarray(image.permute(1, 2, 0).numpy()), [224, 224], torchvision.InterpolationMode.BICUBIC
        )
        expected.append(torch.from_numpy(np.array(resized)).permute(2, 0, 1).float())
    assert torch.equal(pillow_bicubic(images, 224), torch.stack(expected))


def test_the_filters_differ() -> None:
    """Each is another protocol, most of all when pictures get smaller: only the legacy one aliases."""
    checkers = (torch.arange(598)[:, None] + torch.arange(598)).remainder(2).expand(1, 3, -1, -1) * 255
    smooth, aliased = clean_bicubic(checkers.to(torch.uint8), 299), legacy_bilinear(checkers.to(torch.uint8), 299)
    assert smooth[..., 9:-9, 9:-9].std() < 1
    assert aliased.unique().numel() == 1 and smooth.mean() == pytest.approx(127.5, abs=1)


def test_antialiased_bicubic_keeps_what_has_the_size() -> None:
    images = pictures()
    assert torch.equal(antialiased_bicubic(images, 48), images.float())
    close = (antialiased_bicubic(images, 20).clamp(0, 255) - clean_bicubic(images, 20)).abs().max()
    assert close < 0.01, "torch's filter is Pillow's, up to rounding"


def test_standardised() -> None:
    pixels = torch.full((1, 3, 2, 2), 51.0)
    expected = [(0.2 - 0.1) / 0.5, (0.2 - 0.2) / 0.25, (0.2 - 0.3) / 0.1]
    assert standardised(pixels, (0.1, 0.2, 0.3), (0.5, 0.25, 0.1))[0, :, 0, 0].tolist() == pytest.approx(
        expected, abs=1e-6
    )


def test_fixed_crop() -> None:
    ramp = torch.arange(200, dtype=torch.uint8).expand(1, 3, 200, 200)
    crop = fixed_crop(ramp, Box(0.25, 0.0, 0.5), 100)
    assert crop.shape == (1, 3, 100, 100)
    assert torch.equal(crop, ramp[:, :, :100, 50:150].float())
    half = fixed_crop(ramp, Box(0.5, 0.2, 0.5), 50)
    assert half[0, 0, 7, 10].item() == pytest.approx(120.5, abs=1e-3)
    with pytest.raises(ValueError, match="square"):
        fixed_crop(ramp[:, :, :100], Box(0, 0, 1), 50)
