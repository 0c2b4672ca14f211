"""What a batch tells a model, and what of it a step leaves out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.data import FaceDataModule, Recipe
from facegen.data.batch import FaceBatch
from facegen.data.condition_values import columns_of
from facegen.data.synthetic import synthesize
from facegen.models.condition_values import condition_values, dropout_masks, fill_statistics
from facegen.models.conditioning import FaceConditions
from facegen.models.draws import Draws
from facegen.networks.diffusion.conditioner import Conditioner
from tests.models.tiny import camera_labels
from tests.morphable.test_regressor import small_regressor

CAMERA = {"camera": {"kind": "numbers", "size": 25}}
CAPTION = {"caption": {"kind": "text", "tokens": 4}}
SPOKEN = ["coefficients_expression", "coefficients_identity"]
JOINED = {"coefficients": {"kind": "numbers", "size": 5, "columns": SPOKEN}}
TEXTS = [["one", "two", "three"], ["four"], ["five", "six"], ["seven", "eight", "nine", "ten"]]


def conditioner(*inputs: dict[str, dict[str, Any]], **arguments: Any) -> Conditioner:
    torch.manual_seed(0)
    return Conditioner({name: spec for some in inputs for name, spec in some.items()}, width=8, **arguments)


def batch(count: int = 4, **conditions: Any) -> FaceBatch:
    return FaceBatch(torch.zeros(count, 3, 8, 8), camera_labels(count), conditions, [f"face{n}" for n in range(count)])


def test_values_of_all_kinds() -> None:
    columns: dict[str, Any] = {"coefficients_identity": torch.randn(4, 3), "coefficients_expression": torch.randn(4, 2)}
    given = batch(captions=TEXTS, **columns)
    found = condition_values(conditioner(CAMERA, JOINED, CAPTION), given, Draws(0, 0))
    assert list(found) == ["camera", "coefficients", "caption"]
    assert found["camera"] is given.cameras
    expected = torch.cat([columns["coefficients_expression"], columns["coefficients_identity"]], dim=1)
    assert torch.equal(found["coefficients"], expected)
    assert all(text in texts for text, texts in zip(found["caption"], TEXTS, strict=True))
    some = condition_values(conditioner(CAMERA, JOINED, CAPTION), batch(), Draws(0, 0), names=["camera"])
    assert list(some) == ["camera"]


def test_labels_that_are_classes() -> None:
    classes = conditioner({"class": {"kind": "class", "size": 3}})
    given = batch()._replace(cameras=torch.eye(3)[[0, 1, 2, 2]])
    assert condition_values(classes, given, Draws(0, 0))["class"] is given.cameras


def test_columns_of_conditions() -> None:
    inputs = conditioner(CAMERA, JOINED, CAPTION, {"pose": {"kind": "numbers", "size": 2}}).inputs
    found = {name: columns_of(name, given) for name, given in inputs.items()}
    assert found == {"camera": (), "coefficients": tuple(SPOKEN), "caption": ("captions",), "pose": ("pose",)}


def test_every_text_is_drawn_as_often() -> None:
    network, given = conditioner(CAPTION), batch(captions=TEXTS)
    drawn = [condition_values(network, given, Draws(0, step))["caption"] for step in range(600)]
    for face, texts in enumerate(TEXTS):
        for text in texts:
            share = sum(step[face] == text for step in drawn) / 600
            assert share == pytest.approx(1 / len(texts), abs=0.08)
    assert drawn[:2] == [condition_values(network, given, Draws(0, step))["caption"] for step in range(2)]


def test_processes_draw_what_one_would() -> None:
    network = conditioner(CAMERA, CAPTION, dropout=0.3)

    def step(rank: int, world: int) -> tuple[list[str], dict[str, Tensor]]:
        draws = Draws(3, 64, rank=rank, world_size=world)
        captions = TEXTS[rank::world]
        return (
            condition_values(network, batch(len(captions), captions=captions), draws)["caption"],
            dropout_masks(network, len(captions), draws),
        )

    texts, kept = step(0, 1)
    for rank in range(2):
        own_texts, own_kept = step(rank, 2)
        assert own_texts == texts[rank::2]
        assert all(torch.equal(own_kept[name], kept[name][rank::2]) for name in kept)


def test_each_condition_is_left_out_on_its_own() -> None:
    rates = {"camera": 0.1, "caption": 0.5, "pose": 0.0, "gone": 1.0}
    spec = {"kind": "numbers", "size": 2}
    inputs = {
        name: {**(CAPTION["caption"] if name == "caption" else spec), "dropout": rate} for name, rate in rates.items()
    }
    count = 40000
    kept = dropout_masks(conditioner(inputs), count, Draws(0, 0))
    assert {name: mask.dtype for name, mask in kept.items()} == dict.fromkeys(rates, torch.bool)
    for name, rate in rates.items():
        assert 1 - kept[name].float().mean().item() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / count) ** 0.5)
    both = (~kept["camera"] & ~kept["caption"]).float().mean().item()
    assert both == pytest.approx(0.05, abs=0.005)
    together = dropout_masks(conditioner(inputs, dropout=0.2), count, Draws(0, 0))
    assert 1 - together["pose"].float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert not (together["camera"] & ~together["pose"]).any()
    # The same numbers are drawn whatever the chances are: the next ones of the step do not move.
    assert torch.equal(together["camera"], kept["camera"] & together["pose"])


def test_coefficients_that_are_seen_in_the_images() -> None:
    faces = FaceConditions(small_regressor())
    parts = {"light": {"kind": "numbers", "size": 27, "columns": ["coefficients_light"]}}
    whole = {"coefficients": {"kind": "numbers", "size": 43}}
    found = condition_values(conditioner(parts, whole), batch(), Draws(0, 0), faces)
    seen = faces.regressor.coefficients(batch().images)
    torch.testing.assert_close(found["coefficients"], seen)
    torch.testing.assert_close(found["light"], faces.regressor.split(seen).light)
    given = torch.randn(4, 43)
    kept = condition_values(conditioner(whole), batch(coefficients=given), Draws(0, 0), faces)
    assert kept["coefficients"] is given


@pytest.mark.parametrize(
    ("inputs", "given", "message"),
    [
        (CAPTION, {}, r"is told caption, and the faces come without captions; add data.conditions=\[captions\]"),
        (JOINED, {"coefficients_identity": torch.zeros(4, 3)}, "come without coefficients_expression; add data.cond"),
        (
            CAPTION,
            {"captions": [["a"], [], ["b"], None]},
            r"2 of 4 faces have no text in captions \(first face1\)",
        ),
    ],
)
def test_what_is_missing_is_named(inputs: dict[str, Any], given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        condition_values(conditioner(inputs), batch(**given), Draws(0, 0))


def test_labels_that_do_not_fit() -> None:
    for labels, message in ((0, "they have none; add data.labels=true"), (10, "got labels of 10 numbers, expected 25")):
        with pytest.raises(ValueError, match=message):
            condition_values(conditioner(CAMERA), batch()._replace(cameras=torch.zeros(4, labels)), Draws(0, 0))


# Statistics ----------------------------------------------------------------------------------------------------------

COLUMNS = ["coefficients_expression", "coefficients_light"]


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield synthesize(tmp_path_factory.mktemp("heads") / "six", 6, 64, workers=0, detail=0.15)


def test_statistics_of_a_dataset(heads: Path) -> None:
    dataset = FaceDataModule(Recipe(heads, labels=True, conditions=COLUMNS), 2, workers=0).dataset
    everything = dataset[list(range(6))]
    numbers = torch.cat([everything.conditions[name] for name in COLUMNS], dim=1)
    spec = {"kind": "numbers", "size": numbers.shape[1], "columns": COLUMNS}
    network = conditioner(CAMERA, CAPTION, {"coefficients": spec})
    fill_statistics(network, dataset)
    for name, values in (("camera", everything.cameras), ("coefficients", numbers)):
        embedding = network.embeddings[name]
        torch.testing.assert_close(embedding.mean, values.mean(dim=0), atol=1e-5, rtol=1e-4)
        std = values.double().std(dim=0, correction=0).float()
        torch.testing.assert_close(embedding.std, std.where(std > 1e-6, torch.ones_like(std)), atol=1e-5, rtol=1e-3)
    assert (network.get_buffer("embeddings.camera.std") == 1).any()  # intrinsics


def test_flipped_faces_count(heads: Path) -> None:
    dataset = FaceDataModule(Recipe(heads, labels=True, mirror=True), 2, workers=0).dataset
    network = conditioner(CAMERA)
    fill_statistics(network, dataset)
    place = 3  # x of the camera: opposite for a flipped face
    mean = network.get_buffer("embeddings.camera.mean")[place]
    assert mean.abs() < 1e-6 < dataset[[0, 1]].cameras[:, place].abs().max()


def test_statistics_of_what_is_seen(heads: Path) -> None:
    dataset = FaceDataModule(Recipe(heads), 2, workers=0).dataset
    faces = FaceConditions(small_regressor())
    network = conditioner({"coefficients": {"kind": "numbers", "size": 43}})
    fill_statistics(network, dataset, faces)
    seen = faces.regressor.coefficients(dataset[list(range(6))].images / 127.5 - 1)
    torch.testing.assert_close(network.embeddings["coefficients"].mean, seen.mean(dim=0), atol=1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match="the faces come without coefficients; add data"):
        fill_statistics(network, dataset)
