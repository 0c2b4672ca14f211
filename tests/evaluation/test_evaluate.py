"""From a generator and recipes to results: known values, the same bits for any division of work, nothing changed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegen.data import Recipe
from facegen.data.dataset import FaceDataset
from facegen.data.views import views
from facegen.evaluation import NamedRecipe, Plan, Result, evaluate
from facegen.evaluation.evaluate import _filled
from facegen.evaluation.filling import fill, jobs_of
from facegen.evaluation.pixels import pixel_extractor
from facegen.evaluation.setting import face_stream
from facegen.evaluation.store import SHARD, Store
from facegen.metrics import frechet_distance
from tests.cli.conftest import tiny_generator

EXTRACTOR = pixel_extractor()
Values = dict[tuple[str, str], float | None]


def values(results: list[Result]) -> Values:
    return {(result.metric, result.name): result.value for result in results}


def run(generator: Any, plan: Plan, recipes: list[NamedRecipe], folder: Path, **settings: Any) -> list[Result]:
    return evaluate(generator, plan, recipes, EXTRACTOR, folder, **settings)


def test_the_matrix_is_that_of_the_pictures(
    generator: Any, plan: Plan, recipes: list[NamedRecipe], tmp_path: Path
) -> None:
    results = run(generator, plan, recipes, tmp_path / "store")
    found = values(results)
    assert [name for metric, name in found if metric == "fid3d"] == [
        *("avg->first", "avg->second", "first->first", "first->second", "second->first", "second->second"),
        *("same first", "same second"),
    ]
    stream = face_stream(generator, plan, recipes, EXTRACTOR)
    rows = stream.make(0, 20)
    for number, mode in enumerate(stream.modes):
        recipe = next(named.recipe for named in recipes if named.name == mode.rendering)
        real = _features(recipe)
        sums = [
            (torch.from_numpy(x.mean(0)), torch.from_numpy(np.cov(x.T))) for x in (real, rows[f"features_{number}"])
        ]
        assert found["fid3d", mode.name] == pytest.approx(float(frechet_distance(*sums[0], *sums[1])), rel=2e-3)
    assert found["fid", "first"] == found["fid3d", "same first"]
    assert len({round(value or 0, 9) for value in found.values()}) == 8
    assert {result.counts["real"] for result in results if result.name.endswith("first")} == {18}
    assert {result.counts["real"] for result in results if result.name.endswith("second")} == {7}


def _features(recipe: Any) -> np.ndarray:
    dataset, shown = FaceDataset(recipe, cache=False), views(recipe)
    pictures = [
        dataset.pixels(row)[:, :, ::-1] if flip else dataset.pixels(row)
        for row, flip in zip(shown.rows.tolist(), shown.flipped, strict=True)
    ]
    return EXTRACTOR(torch.from_numpy(np.stack(pictures))).double().numpy()


def test_results_say_what_they_are(generator: Any, plan: Plan, recipes: list[NamedRecipe], tmp_path: Path) -> None:
    result = run(generator, plan, recipes, tmp_path / "store")[0]
    protocol = result.protocol
    assert protocol["distance"] == "FD (pixels)" and protocol["extractor"] == EXTRACTOR.protocol
    assert protocol["pivot"] == [0, 0, 0.2] and protocol["radius"] == 2.7 and protocol["resolution"] == 16
    assert protocol["recipes"]["second"]["filter"] == "lanczos" and protocol["num_images"] == 20
    assert result.fingerprints == {named.name: named.recipe.fingerprint for named in recipes}
    assert len(result.checkpoint["sha256"]) == 64 and result.versions["torch"] == torch.__version__
    assert any("singular" in line for line in result.warnings)
    assert result.time["device"] == "cpu" and result.time["seconds"] > 0


def test_nothing_else_changes(generator: Any, plan: Plan, recipes: list[NamedRecipe], tmp_path: Path) -> None:
    generator.train()
    generator.backbone.mapping.eval()
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), str(np.random.get_state()), torch.get_num_threads()
    weights = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    run(generator, plan, recipes, tmp_path / "store")
    assert torch.equal(torch.get_rng_state(), before[0]) and str(np.random.get_state()) == before[1]
    assert torch.get_num_threads() == before[2] and not torch.is_inference_mode_enabled()
    assert generator.training and not generator.backbone.mapping.training
    assert all(torch.equal(tensor, weights[name]) for name, tensor in generator.state_dict().items())
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_a_second_evaluation_computes_nothing(
    generator: Any, plan: Plan, recipes: list[NamedRecipe], tmp_path: Path
) -> None:
    said: list[str] = []
    first = run(generator, plan, recipes, tmp_path / "store", say=said.append)
    assert said[0] == "real first: 18 pictures, 18 to be computed"
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.npz")}
    second = run(generator, plan, recipes, tmp_path / "store", say=said.append)
    assert said[-3:] == [
        f"{each}: {n} pictures, from the cache"
        for each, n in (("real first", 18), ("real second", 7), ("generated", 20))
    ]
    assert len(stamps) == 3 and values(first) == values(second)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.npz")} == stamps


def test_another_generator_finds_the_real_features(
    generator: Any, plan: Plan, recipes: list[NamedRecipe], tmp_path: Path
) -> None:
    run(generator, plan, recipes, tmp_path / "store")
    generator.backbone.mapping.fc0.bias.data += 1
    said: list[str] = []
    run(generator, plan, recipes, tmp_path / "store", say=said.append)
    assert said[0].endswith("from the cache") and said[2] == "generated: 20 pictures, 20 to be computed"


@pytest.mark.timeout(900)  # starts processes, which import everything again on a busy machine
def test_processes_and_ranks_give_the_same_bits(recipes: list[NamedRecipe], tmp_path: Path) -> None:
    plan = Plan(("fid",), num_images=SHARD + 10, batch_size=64)
    stream = face_stream(tiny_generator(c_dim=25).eval(), plan, recipes, EXTRACTOR)
    stores = [_filled([stream], [tmp_path / str(n)], n, 0, 1, lambda text: None)[0] for n in (1, 2)]
    stores.append(Store(tmp_path / "ranks", stores[0].about))
    for rank in (1, 0):
        jobs = jobs_of([stream], stores[2:], rank, 2)
        assert [job.numbers for job in jobs] == [[rank]]
        fill(jobs)
    rows = [store.all(plan.num_images) for store in stores]
    for name, array in rows[0].items():
        assert len(array) == plan.num_images
        assert all(np.array_equal(array, other[name], equal_nan=True) for other in rows[1:]), name


def test_a_longer_stream_begins_alike(generator: Any, plan: Plan, recipes: list[NamedRecipe], tmp_path: Path) -> None:
    short, long = (face_stream(generator, replace(plan, num_images=n), recipes, EXTRACTOR) for n in (5, 140))
    store = _filled([short], [tmp_path], 1, 0, 1, lambda text: None)[0]
    few = store.all(5)
    assert _filled([long], [tmp_path], 1, 0, 1, lambda text: None)[0].key == store.key
    assert all(np.array_equal(array, store.all(20)[name][:5], equal_nan=True) for name, array in few.items())


def test_a_generator_of_images(recipes: list[NamedRecipe], tmp_path: Path) -> None:
    plan = Plan(("fid", "kid", "precision_recall", "pixels"), num_images=12)
    found = values(run(tiny_generator(c_dim=25), plan, recipes, tmp_path))
    each = ("fid", "kid", "precision", "recall", "density", "coverage", "pixels")
    assert list(found) == [(metric, name) for name in ("first", "second") for metric in each]
    assert all(value is not None and np.isfinite(value) for value in found.values())


def test_without_real_pictures(generator: Any, tmp_path: Path) -> None:
    result = run(generator, Plan(("pixels",), num_images=4), [], tmp_path)[0]
    assert result.value is None and 0 <= result.details["generated"]["mean"][0] <= 255


def test_poses(generator: Any, recipes: list[NamedRecipe], tmp_path: Path) -> None:
    results = run(generator, Plan(("binned", "matched"), num_images=70), recipes, tmp_path)
    assert [result.name for result in results if result.metric == "binned_fid"] == [
        *("avg->first", "avg->second", "same first", "same second")
    ]
    matched = {result.name: result for result in results if result.metric == "matched_fid"}
    assert set(matched) == {
        f"{how} vs {real}"
        for how, real in (
            ("avg->first", "second"),
            ("avg->second", "first"),
            ("same first", "second"),
            ("same second", "first"),
        )
    }
    for result in matched.values():
        low, high = result.interval or (0, 0)
        assert result.value is not None and low < result.value < high
        assert 0 < result.details["matched"]["effective_generated"] <= 70 + 1e-9


def test_replicates_give_intervals(generator: Any, recipes: list[NamedRecipe], tmp_path: Path) -> None:
    plan = Plan(("fid",), num_images=40, replicates=5)
    result = run(generator, plan, recipes, tmp_path)[0]
    low, high = result.interval or (0, 0)
    assert result.value is not None and low < result.value < high
    assert result.details["corrected"] < result.value


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metrics": ("kidd",)}, r"did you mean kid\?"),
        ({"metrics": ()}, "got none"),
        ({"num_images": 1}, "num_images: got 1"),
        ({"num_real": 1}, "num_real: got 1"),
        ({"batch_size": 0}, "batch_size: got 0"),
        ({"replicates": 1}, "replicates: got 1"),
        ({"seed": 2**32 - 5}, "2\\^32"),
        ({"noise_mode": "loud"}, "noise_mode"),
        ({"truncation": float("nan")}, "truncation"),
    ],
)
def test_plans_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(**{"metrics": ("fid",), **settings})


def test_what_does_not_fit_together(generator: Any, recipes: list[NamedRecipe], plan: Plan, tmp_path: Path) -> None:
    first = tmp_path / "first"
    for network, chosen, pictures, message in (
        (tiny_generator(), plan, recipes, "got fid3d, which asks a 3D generator"),
        (generator, plan, [], "compares with real images"),
        (generator, plan, [recipes[0], NamedRecipe("x", recipes[0].recipe)], "same pictures as data"),
        (generator, plan, [NamedRecipe("x", Recipe(first, resolution=8, labels=True))], "expected the generator's 16"),
        (generator, plan, [NamedRecipe("x", Recipe(first))], "labels of 0 numbers, the generator takes 25"),
    ):
        with pytest.raises(ValueError, match=message):
            run(network, chosen, pictures, tmp_path / "store")
