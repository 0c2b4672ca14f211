"""Batches that lack coefficients or renders get them on the device; what they have is kept."""

from typing import Any

import pytest
import torch

from facegen.data.batch import FaceBatch
from facegen.models.conditioning import FaceConditions
from tests.models.tiny import camera_labels
from tests.morphable.test_regressor import small_regressor


def batch(**conditions: Any) -> FaceBatch:
    images = torch.randint(0, 256, (3, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return FaceBatch(images, camera_labels(3), conditions, ["a", "b", "c"])


def test_what_is_missing_is_made() -> None:
    regressor = small_regressor()
    given = batch(sketch=torch.zeros(3))
    found = FaceConditions(regressor).complete(given)
    assert given.conditions.keys() == {"sketch"}, "the batch that came is not changed"
    expected = regressor.coefficients(given.images / 127.5 - 1)
    torch.testing.assert_close(found.conditions["coefficients"], expected)
    render = found.conditions["render"]
    assert render.dtype == torch.uint8 and render.shape == (3, 3, 40, 40) and (render > 0).any()
    assert "render" not in FaceConditions(regressor).complete(batch(), ["coefficients"]).conditions
    assert FaceConditions(regressor).complete(batch(), ["render"]).conditions.keys() == {"render"}


def test_what_is_there_is_kept_and_used() -> None:
    regressor, given = small_regressor(), torch.zeros(3, 43)
    found = FaceConditions(regressor).complete(batch(coefficients=given)).conditions
    assert found["coefficients"] is given
    drawn = regressor.view(given, 40).images
    torch.testing.assert_close(found["render"].float() / 127.5 - 1, drawn.clamp(-1, 1), atol=0.01, rtol=0)
    both: dict[str, Any] = {"coefficients": given, "render": torch.zeros(1)}
    assert FaceConditions(regressor).complete(batch(**both)).conditions == both


def test_pictures_of_floats_get_renders_of_floats() -> None:
    given = batch()
    given = given._replace(images=given.images / 127.5 - 1)
    render = FaceConditions(small_regressor()).complete(given).conditions["render"]
    assert render.dtype == torch.float32 and render.min() == -1 and render.max() <= 1 and not render.requires_grad


def test_mistakes_are_named() -> None:
    conditions = FaceConditions(small_regressor())
    with pytest.raises(ValueError, match="got depth, expected coefficients or render"):
        conditions.complete(batch(), ["depth"])
    with pytest.raises(ValueError, match="model that they were fitted with"):
        conditions.complete(batch(coefficients=torch.zeros(3, 257)))
