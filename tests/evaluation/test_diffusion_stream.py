"""Rows of diffusion models: what they are asked for, what the key holds, and FID3D with one camera."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from facegen.data import Recipe, table
from facegen.data.index import build_index
from facegen.data.pictures import to_uint8
from facegen.data.sketches import sketch
from facegen.data.views import label_pool
from facegen.evaluation import NamedRecipe, Plan, evaluate
from facegen.evaluation.adherence_sides import Judges
from facegen.evaluation.asked import Asked, denoised
from facegen.evaluation.draws import Noise, places
from facegen.evaluation.filling import reproducible
from facegen.evaluation.pixels import pixel_extractor
from facegen.evaluation.plan import Denoising
from facegen.evaluation.setting import face_stream
from facegen.evaluation.store import key_of
from facegen.metrics.fid3d import Mode
from facegen.networks.latents import latents
from tests.models.tiny import photographs
from tests.networks.tiny_diffusion import CAMERA, tiny_latent_generator

EXTRACTOR = pixel_extractor()
NUMBERS = {"coefficients": {"kind": "numbers", "size": 3, "columns": ["traits"]}}


@pytest.fixture
def told(tmp_path: Path) -> NamedRecipe:
    """Nine faces with cameras and three numbers each."""
    root = photographs(tmp_path / "told", 9)
    indexed = build_index(root)
    traits = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(27, dtype=np.float32) / 27), 3)
    table.set_columns(indexed.path, pa.table({"id": table.read(indexed.path)["id"], "traits": traits}))
    return NamedRecipe("told", Recipe(root, labels=True, conditions=["traits"]))


def features(image: torch.Tensor) -> np.ndarray:
    return EXTRACTOR(to_uint8(image)).numpy()


def test_pictures_are_asked_for_what_real_faces_have(told: NamedRecipe) -> None:
    generator = tiny_latent_generator(CAMERA | NUMBERS)
    stream = face_stream(generator, Plan(("fid",), num_images=8, batch_size=4), [told], EXTRACTOR)
    place = places(0, told.recipe.fingerprint, 4, 4, 9)
    with reproducible():
        rows = stream.make(4, 4)
        c = torch.from_numpy(label_pool(told.recipe)[place])
        traits = torch.arange(27).reshape(9, 3)[place] / 27
        made = generator(latents([4, 5, 6, 7], generator.z_dim), c, {"coefficients": traits})
        without = generator(latents([4, 5, 6, 7], generator.z_dim), c)
    assert stream.modes == (Mode("same", "told"),)
    assert np.array_equal(rows["labels_0"], c.numpy())
    assert np.allclose(rows["features_0"], features(made), atol=1e-5)
    assert not np.allclose(rows["features_0"], features(without), atol=1e-5)


def test_conditions_can_be_dropped(told: NamedRecipe) -> None:
    generator = tiny_latent_generator(NUMBERS)
    plan = Plan(("fid",), num_images=4, denoising=Denoising(conditions="dropped"))
    stream = face_stream(generator, plan, [told], EXTRACTOR)
    with reproducible():
        rows = stream.make(0, 4)
        made = denoised(generator, latents([0, 1, 2, 3], generator.z_dim), Asked(None))
    assert stream.pools == () and rows["labels_0"].shape == (4, 0)
    assert np.allclose(rows["features_0"], features(made), atol=1e-5)


def test_noise_of_the_sampler_has_its_place(recipes: list[NamedRecipe]) -> None:
    generator = tiny_latent_generator()
    stream = face_stream(generator, Plan(("fid",), denoising=Denoising(eta=1.0)), recipes[:1], EXTRACTOR)
    with reproducible():
        once, again = stream.make(8, 2), stream.make(8, 2)
        noise = Noise(0, 8, "all", torch.device("cpu"))
        made = generator(latents([8, 9], generator.z_dim), eta=1.0, randn=noise.randn)
    assert np.array_equal(once["features_0"], again["features_0"])
    assert np.allclose(once["features_0"], features(made), atol=1e-5)


@pytest.mark.parametrize(
    "change", [{"steps": 3}, {"sampler": "unipc"}, {"guidance": 2.0}, {"eta": 0.5}, {"conditions": "dropped"}, "column"]
)
def test_everything_that_rows_depend_on_is_in_the_key(told: NamedRecipe, change: Any) -> None:
    generator = tiny_latent_generator(CAMERA | NUMBERS)
    plan = Plan(("fid",))
    before = key_of(face_stream(generator, plan, [told], EXTRACTOR).about())
    if change == "column":
        stream = face_stream(generator, plan, [told], EXTRACTOR)
        faces = stream.pools[0].faces
        assert faces is not None
        faces.dataset.conditions.values["traits"][0, 0] += 1e-3
        assert key_of(stream.about()) != before
        return
    other = Plan(("fid",), denoising=Denoising(**change))
    assert key_of(face_stream(generator, other, [told], EXTRACTOR).about()) != before


def test_defaults_said_out_loud_are_the_same_rows(told: NamedRecipe) -> None:
    generator = tiny_latent_generator(CAMERA)
    said = Plan(("fid",), denoising=Denoising("ddim", 2, 1.0, 0.0))
    keys = {key_of(face_stream(generator, plan, [told], EXTRACTOR).about()) for plan in (Plan(("fid",)), said)}
    assert len(keys) == 1


def test_fid3d_of_one_camera(recipes: list[NamedRecipe], tmp_path: Path) -> None:
    """Same X is the usual distance; Y->X has the same pictures and other real ones, and says what a perfect one has."""
    generator = tiny_latent_generator(CAMERA)
    plan = Plan(("fid", "fid3d", "binned", "matched"), num_images=24, batch_size=8)
    found = evaluate(generator, plan, recipes, EXTRACTOR, tmp_path)
    of = {(result.metric, result.name): result for result in found}
    assert [name for metric, name in of if metric == "fid3d"] == [
        *("same first", "same second", "first->second", "second->first")
    ]
    assert of["fid3d", "same first"].value == of["fid", "first"].value
    assert of["fid3d", "first->second"].value != of["fid3d", "same second"].value
    reals = {of["fid3d", f"{a}->{b}"].details["of_real"] for a, b in (("first", "second"), ("second", "first"))}
    assert max(reals) == pytest.approx(min(reals)) and min(reals) > 0
    assert ("matched_fid", "same first vs second") in of and ("binned_fid", "same second") in of
    sampling = found[0].protocol["sampling"]
    assert sampling["steps"] == 2 and sampling["told"] == {"first": [], "second": []}


def test_identity_and_diversity(recipes: list[NamedRecipe], tmp_path: Path) -> None:
    generator = tiny_latent_generator(CAMERA)

    class Difference:
        name = "difference"

        def to(self, device: torch.device) -> "Difference":
            return self

        def __call__(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
            return (one - two).abs().mean((1, 2, 3))

    judges = {"diversity": Difference(), "identity": EXTRACTOR}
    plan = Plan(("diversity", "identity"), num_images=6, batch_size=3)
    found = {result.metric: result for result in evaluate(generator, plan, recipes, EXTRACTOR, tmp_path, judges=judges)}
    assert found["diversity"].value is not None and found["diversity"].value > 0
    assert found["identity"].value is not None and found["identity"].value < 1


def test_adherence_beside_chance_and_real_pictures(tmp_path: Path) -> None:
    root = photographs(tmp_path / "told", 5)
    indexed = build_index(root)
    names = table.read(indexed.path)["id"].to_pylist()
    (root / ".sketches").mkdir()
    for name in names:
        Image.fromarray(sketch(np.asarray(Image.open(root / f"{name}.png")))).save(root / f".sketches/{name}.png")
    paths = pa.array([f".sketches/{name}.png" for name in names])
    table.set_columns(indexed.path, pa.table({"id": pa.array(names), "sketch": paths}))
    real = [NamedRecipe("told", Recipe(root, conditions=["sketch"]))]
    plan = Plan(("adherence",), num_images=4, batch_size=2)
    with pytest.raises(ValueError, match="add parser=FOLDER"):
        evaluate(tiny_latent_generator(), plan, real, EXTRACTOR, tmp_path)
    found = evaluate(tiny_latent_generator(), plan, real, EXTRACTOR, tmp_path, judges={"adherence": Judges()})
    of = {result.name: result for result in found}
    assert "sketch_f1, told" in of and {result.metric for result in found} == {"adherence"}
    assert of["sketch_f1, told"].details["real"] > 0.9 > of["sketch_f1, told"].details["chance"]
    assert of["sketch_f1, told"].counts == {"generated": 4, "real": 4}
    assert not any(path.is_dir() for path in (tmp_path).glob("*") if len(path.name) == 64), "nothing is stored for it"


@pytest.mark.parametrize(
    ("inputs", "plan", "expected"),
    [
        (None, Plan(("fid3d",)), "condition camera"),
        (CAMERA, Plan(("ppl",)), "path length in w"),
        (CAMERA, Plan(("fid",), truncation=0.5), "guidance=2"),
        (CAMERA, Plan(("fid",), denoising=Denoising(steps=0)), "steps: got 0"),
        (CAMERA, Plan(("fid",), denoising=Denoising(sampler="euler")), "sampler: got 'euler'"),
        (CAMERA, Plan(("fid",), denoising=Denoising(guidance=float("nan"))), "guidance: got nan"),
    ],
)
def test_mistakes(recipes: list[NamedRecipe], tmp_path: Path, inputs: Any, plan: Plan, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        evaluate(tiny_latent_generator(inputs), plan, recipes, EXTRACTOR, tmp_path)


def test_samplers_are_of_diffusion_models(generator: Any, recipes: list[NamedRecipe], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="steps: got a TriPlaneGenerator, which has no sampler"):
        evaluate(generator, Plan(("fid",), denoising=Denoising(steps=5)), recipes, EXTRACTOR, tmp_path)
    with pytest.raises(ValueError, match="conditions: got 'all', expected real or dropped"):
        Plan(("fid",), denoising=Denoising(conditions="all"))
