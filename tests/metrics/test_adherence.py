"""Errors of landmarks, renders and coefficients: known answers, and sums that add."""

import math

import numpy as np
import pytest
import torch

from facegen.metrics.adherence import (
    CoefficientCorrelation,
    MeanError,
    coefficient_errors,
    landmark_errors,
    render_differences,
)


def face(eyes: float, height: float) -> torch.Tensor:
    """68 landmarks (1, 68, 2) with the outer corners of the eyes so far apart."""
    points = torch.zeros(1, 68, 2)
    points[0, :, 1] = torch.linspace(0, height, 68)
    points[0, 36], points[0, 45] = torch.tensor([0.2, 0.1]), torch.tensor([0.2 + eyes, 0.1])
    return points


def test_landmarks_in_distances_of_the_eyes() -> None:
    asked = face(0.4, 0.6)
    found = torch.cat([asked, asked + torch.tensor([0.03, 0.04]), torch.full_like(asked, torch.nan)])
    errors = landmark_errors(found, asked.expand(3, -1, -1))
    assert errors[0] == 0 and errors[1].item() == pytest.approx(0.05 / 0.4, rel=1e-5) and errors[2].isnan()
    profile = face(0.01, 0.6)
    assert landmark_errors(profile + 0.1, profile).item() == pytest.approx(0.1 * 2**0.5 / 0.18, rel=1e-5)
    with pytest.raises(ValueError, match="expected two"):
        landmark_errors(asked[:, :67], asked[:, :67])


def test_renders_differ_inside_the_mask_only() -> None:
    images = torch.randint(256, (3, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    renders, mask = images.clone(), torch.zeros(3, 1, 4, 4, dtype=torch.bool)
    mask[:2, :, :2] = True
    renders[0, :, 2:] += 9  # outside
    images[1, :, :2], renders[1, :, :2] = 100, 151
    errors = render_differences(images, renders, mask)
    assert errors[0] == 0 and errors[1].item() == pytest.approx(0.2) and errors[2].isnan(), "an empty mask"
    with pytest.raises(ValueError, match="expected one size"):
        render_differences(images, renders, mask[..., :2])


def test_coefficient_errors_are_in_the_units_of_coefficients() -> None:
    asked = torch.zeros(2, 4)
    assert coefficient_errors(asked + 2, asked).tolist() == [2, 2]
    assert coefficient_errors(torch.tensor([[1.0, -1, 1, -1]]), asked[:1]).item() == 1


def correlation_of(found: torch.Tensor, asked: torch.Tensor) -> float:
    metric = CoefficientCorrelation(found.shape[1])
    for part in (slice(0, 3), slice(3, None)):
        metric.update(found[part], asked[part])
    return float(metric.compute())


def test_correlation_is_pearsons_of_centred_coefficients() -> None:
    generator = torch.Generator().manual_seed(0)
    asked, noise = torch.randn(2, 12, 5, generator=generator)
    found = 0.5 * asked + noise + torch.arange(5)  # an offset of each coefficient tells nothing of faces
    centred = np.stack([(values - values.mean(dim=0)).flatten().numpy() for values in (found, asked)])
    assert correlation_of(found, asked) == pytest.approx(np.corrcoef(centred)[0, 1], rel=1e-5)
    assert correlation_of(3 * asked - 1, asked) == pytest.approx(1) and correlation_of(-asked, asked) == pytest.approx(
        -1
    )
    assert correlation_of(torch.ones_like(asked), asked) == 0, "always the mean face"
    assert math.isnan(correlation_of(asked[:1], asked[:1]))
    lost = found.clone()
    lost[4, 2] = torch.nan
    kept = [row for row in range(12) if row != 4]
    assert correlation_of(lost, asked) == pytest.approx(correlation_of(found[kept], asked[kept]))
    with pytest.raises(ValueError, match=r"expected two \(N, 5\)"):
        CoefficientCorrelation(5).update(asked[:, :4], asked[:, :4])


def test_faces_that_are_not_found_are_left_out_of_means() -> None:
    metric = MeanError()
    metric.update(torch.tensor([torch.nan]))
    assert metric.compute().value.isnan()
    metric = MeanError()
    metric.update(torch.tensor([1.0, torch.nan, 3.0, torch.inf]))
    assert metric.compute().value == 2 and metric.compute().num_values == 2
