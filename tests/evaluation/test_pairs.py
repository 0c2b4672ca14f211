"""Numbers about pairs are those of the pictures that were asked for directly."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facegen.data.pictures import to_uint8
from facegen.evaluation import NamedRecipe, Plan, evaluate
from facegen.evaluation.draws import Noise
from facegen.evaluation.filling import reproducible
from facegen.evaluation.pairs import PairStream
from facegen.evaluation.pixels import pixel_extractor
from facegen.evaluation.setting import pair_streams
from facegen.losses.perceptual import PyramidDistance
from facegen.metrics.path_length import trimmed_mean
from facegen.networks.latents import latents
from tests.cli.conftest import tiny_generator

JUDGES = {"ppl": PyramidDistance(), "diversity": PyramidDistance(), "identity": pixel_extractor()}
PLAN = Plan(("ppl", "diversity", "identity"), num_images=6, batch_size=4)


def streams(generator: Any, plan: Plan, recipes: list[NamedRecipe]) -> dict[str, PairStream]:
    return pair_streams(generator, plan, recipes, JUDGES)


def test_identity_compares_two_views_of_one_face(generator: Any, recipes: list[NamedRecipe]) -> None:
    stream = streams(generator, PLAN, recipes)["identity"]
    with reproducible():
        cosines = stream.make(2, 3)["values"]
        ws = generator.mapping(latents([2, 3, 4], 16), generator.average_camera().expand(3, -1))
        cameras = stream._labels(4, 6)
        noise = Noise(0, 2, "IdentityStream/views", torch.device("cpu"))
        views = [to_uint8(generator.synthesis(ws, cameras[k::2], rand=noise.rand).image) for k in (0, 1)]
        expected = F.cosine_similarity(*(JUDGES["identity"](view).double() for view in views))
    assert np.allclose(cosines, expected.numpy(), atol=1e-6) and (cosines < 1 - 1e-9).all()
    assert not torch.equal(cameras[::2], cameras[1::2])


def test_diversity_is_of_two_faces_under_one_label() -> None:
    generator = tiny_generator().eval()
    stream = streams(generator, Plan(("diversity",), num_images=6), [])["diversity"]
    with reproducible():
        values = stream.make(1, 2)["values"]
        other = Noise(0, 1, "DiversityStream/others", torch.device("cpu")).randn((2, 16))
        pair = [generator.synthesis(generator.mapping(z, None)) for z in (latents([1, 2], 16), other)]
        one, two = (to_uint8(images) / 127.5 - 1 for images in pair)
    assert np.allclose(values, PyramidDistance()(one, two).numpy(), atol=1e-6) and (values > 0).all()


def test_path_lengths_of_a_generator_that_is_linear_in_w(generator: Any, recipes: list[NamedRecipe]) -> None:
    stream = streams(generator, PLAN, recipes)["ppl"]
    with reproducible():
        values, again = stream.make(0, 4)["values"], stream.make(0, 4)["values"]
    assert np.array_equal(values, again) and np.isfinite(values).all() and (values > 0).all()


def test_results_are_means_of_the_stored_numbers(generator: Any, recipes: list[NamedRecipe], tmp_path: Any) -> None:
    arguments: dict[str, Any] = {"judges": JUDGES, "scratch": tmp_path / "scratch"}
    results = evaluate(generator, PLAN, recipes, pixel_extractor(), tmp_path / "store", **arguments)
    assert [result.metric for result in results] == ["ppl", "diversity", "identity"]
    assert not (tmp_path / "store").exists() and len(list((tmp_path / "scratch").rglob("*.npz"))) == 3
    with reproducible():
        for result, stream in zip(results, streams(generator, PLAN, recipes).values(), strict=True):
            rows = np.concatenate([stream.make(0, 4)["values"], stream.make(4, 4)["values"]])[:6]
            trim = 0.01 if result.metric == "ppl" else 0
            assert result.value == pytest.approx(float(trimmed_mean(torch.from_numpy(rows), trim).value), rel=1e-9)
            assert result.counts == {"generated": 6} and result.standard_error is not None
    assert results[0].protocol["distance"] == PyramidDistance.name
    assert results[2].protocol["extractor"] == JUDGES["identity"].protocol


def test_keys_differ_by_kind_and_judge(generator: Any, recipes: list[NamedRecipe]) -> None:
    found = [stream.about() for stream in streams(generator, PLAN, recipes).values()]
    assert len({str(about) for about in found}) == 3


def test_a_judge_is_needed(generator: Any, recipes: list[NamedRecipe]) -> None:
    with pytest.raises(ValueError, match="got ppl, but no network"):
        pair_streams(generator, Plan(("ppl",)), recipes, {})
