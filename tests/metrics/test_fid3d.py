"""FID3D of a generator whose matrix is known, from exact moments and from samples."""

import warnings

import pytest
import torch

from facegen.metrics import FID3D
from facegen.metrics.fid3d import Mode, modes
from tests.metrics.toy import ToyGenerator, exact_samples, toy

EIGHT = [
    *("avg->ffhq", "avg->lpff", "ffhq->ffhq", "ffhq->lpff", "lpff->ffhq", "lpff->lpff"),
    *("same ffhq", "same lpff"),
]


def test_two_recipes_have_eight_modes() -> None:
    assert [mode.name for mode in modes(["ffhq", "lpff"])] == EIGHT
    assert [mode.name for mode in modes(["ffhq"])] == ["avg->ffhq", "ffhq->ffhq", "same ffhq"]


@pytest.mark.parametrize("recipes", [[], ["ffhq", "ffhq"], ["avg"], ["same", "ffhq"]])
def test_names_of_recipes_are_checked(recipes: list[str]) -> None:
    with pytest.raises(ValueError, match="expected different names"):
        modes(recipes)


def expected_matrix(generator: ToyGenerator, metric: FID3D, real: dict) -> dict[str, float]:
    return {mode.name: generator.distance(mode, real[mode.rendering]) for mode in metric.modes}


def test_exact_moments_give_the_closed_form() -> None:
    generator, real = toy()
    metric = FID3D(list(real), num_features=6)
    for name, population in real.items():
        metric.update_real(name, exact_samples(population))
    for mode in metric.modes:
        metric.update(mode, exact_samples(generator.gaussian(mode)))
    found = metric.compute()
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        expected_matrix(generator, metric, real), rel=1e-9
    )
    assert len({round(float(value), 9) for value in found.values()}) == 8  # no mode can be taken for another


def test_samples_converge_to_the_closed_form() -> None:
    generator, real = toy()
    metric = FID3D(list(real), num_features=6)
    draws = torch.Generator().manual_seed(1)
    for name, population in real.items():
        metric.update_real(name, exact_samples(population))
    expected = expected_matrix(generator, metric, real)
    distances = []
    for number in (200, 20000):
        for mode in metric.modes:
            for part in generator.sample(mode, number, draws).split(7000):
                metric.update(mode, part)
        found = metric.compute()
        distances.append(max(abs(float(found[name]) / expected[name] - 1) for name in expected))
    assert distances[1] < 0.05 and distances[1] < distances[0]


def test_real_features_are_shared_and_some_modes_are_enough() -> None:
    generator, real = toy()
    wanted = [Mode("avg", "lpff"), Mode("same", "lpff")]
    metric = FID3D(["lpff"], 6, wanted)
    metric.update_real("lpff", exact_samples(real["lpff"]))
    for mode in wanted:
        metric.update(mode, exact_samples(generator.gaussian(mode)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metric.compute()
    assert list(found) == ["avg->lpff", "same lpff"]
    assert float(found["avg->lpff"]) == pytest.approx(generator.distance(wanted[0], real["lpff"]))


def test_what_is_missing_or_unknown_is_named() -> None:
    metric = FID3D(["ffhq"], 2)
    metric.update_real("ffhq", torch.randn(9, 2))
    metric.update(Mode("avg", "ffhq"), torch.randn(9, 2))
    with pytest.raises(ValueError, match="generated images, ffhq->ffhq: got 0 images"), pytest.warns(UserWarning):
        metric.compute()
    with pytest.raises(ValueError, match="got 'lpff', expected one of ffhq"):
        metric.update_real("lpff", torch.zeros(1, 2))
    with pytest.raises(ValueError, match="expected one of avg->ffhq, ffhq->ffhq, same ffhq"):
        metric.update(Mode("lpff", "ffhq"), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="no real images to compare with; recipes: ffhq"):
        FID3D(["ffhq"], 2, [Mode("avg", "lpff")])
