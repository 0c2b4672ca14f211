"""Generated rows are those of the generator asked directly, whatever else is generated with them."""

from typing import Any

import numpy as np
import pytest
import torch

from facegen.data.pictures import to_uint8
from facegen.data.views import label_pool
from facegen.evaluation import NamedRecipe, Plan
from facegen.evaluation.draws import Noise, places
from facegen.evaluation.faces import FaceStream
from facegen.evaluation.filling import reproducible
from facegen.evaluation.pixels import pixel_extractor
from facegen.evaluation.setting import face_stream
from facegen.evaluation.store import key_of
from facegen.metrics.fid3d import Mode, modes
from facegen.networks.latents import latents
from tests.cli.conftest import tiny_generator

EXTRACTOR = pixel_extractor()


@pytest.fixture
def stream(generator: Any, plan: Plan, recipes: list[NamedRecipe]) -> FaceStream:
    return face_stream(generator, plan, recipes, EXTRACTOR)


def drawn(recipe: NamedRecipe, first: int, count: int) -> torch.Tensor:
    pool = label_pool(recipe.recipe)
    return torch.from_numpy(pool[places(0, recipe.recipe.fingerprint, first, count, len(pool))])


def features(generator: Any, ws: torch.Tensor, seen: torch.Tensor, purpose: str) -> np.ndarray:
    noise = Noise(0, 8, purpose, torch.device("cpu"))
    return EXTRACTOR(to_uint8(generator.synthesis(ws, seen, rand=noise.rand).image)).numpy()


def test_every_mode_has_its_cameras(generator: Any, stream: FaceStream, recipes: list[NamedRecipe]) -> None:
    with reproducible():
        rows = stream.make(8, 4)
        z = latents(list(range(8, 12)), 16)
        cameras = {named.name: drawn(named, 8, 5) for named in recipes}
        prints = {named.name: named.recipe.fingerprint for named in recipes}
        assert stream.modes == modes(["first", "second"]) and len(stream.modes) == 8
        for number, mode in enumerate(stream.modes):
            told = {
                "avg": generator.average_camera().expand(4, -1),
                "same": cameras[mode.rendering][:-1],
                **{name: labels[:-1] for name, labels in cameras.items()},
            }[mode.conditioning]
            shifted = mode.conditioning == mode.rendering
            seen = cameras[mode.rendering][1:] if shifted else cameras[mode.rendering][:-1]
            purpose = "/".join(prints.get(name, name) for name in mode)
            expected = features(generator, generator.mapping(z, told), seen, purpose)
            assert np.array_equal(rows[f"labels_{number}"], seen.numpy())
            assert np.allclose(rows[f"features_{number}"], expected, atol=1e-5), mode.name
    assert len({rows[f"features_{number}"].tobytes() for number in range(8)}) == 8


def test_same_is_the_usual_call(generator: Any, stream: FaceStream, recipes: list[NamedRecipe]) -> None:
    number = stream.modes.index(Mode("same", "first"))
    with reproducible():
        rows = stream.make(0, 3)
        noise = Noise(0, 0, f"same/{recipes[0].recipe.fingerprint}", torch.device("cpu"))
        made = generator(latents([0, 1, 2], 16), drawn(recipes[0], 0, 3), rand=noise.rand).image
    assert np.allclose(rows[f"features_{number}"], EXTRACTOR(to_uint8(made)).numpy(), atol=1e-5)


def test_a_mode_does_not_depend_on_the_others(generator: Any, plan: Plan, recipes: list[NamedRecipe]) -> None:
    alone = face_stream(generator, Plan(("fid",)), recipes[:1], EXTRACTOR)
    among = face_stream(generator, plan, recipes, EXTRACTOR)
    with reproducible():
        rows, all_rows = alone.make(0, 4), among.make(0, 4)
    number = among.modes.index(Mode("same", "first"))
    assert alone.modes == (Mode("same", "first"),)
    assert np.array_equal(rows["labels_0"], all_rows[f"labels_{number}"])
    assert np.allclose(rows["features_0"], all_rows[f"features_{number}"], atol=1e-6)


def test_names_of_recipes_do_not_matter(generator: Any, plan: Plan, recipes: list[NamedRecipe]) -> None:
    renamed = [NamedRecipe(f"x{named.name}", named.recipe) for named in recipes]
    streams = [face_stream(generator, plan, each, EXTRACTOR) for each in (recipes, renamed)]
    assert key_of(streams[0].about()) == key_of(streams[1].about())


@pytest.mark.parametrize(
    "change", ["weights", "seed", "truncation", "noise_mode", "batch_size", "pool", "modes", "resolution", "depth"]
)
def test_everything_that_rows_depend_on_is_in_the_key(
    generator: Any, plan: Plan, recipes: list[NamedRecipe], change: str
) -> None:
    before = key_of(face_stream(generator, plan, recipes, EXTRACTOR).about())
    values = {"seed": 1, "truncation": 0.5, "noise_mode": "none", "batch_size": 4}
    if change == "weights":
        next(generator.parameters()).data.view(-1)[0] += 1e-6
    elif change == "resolution":
        generator.neural_rendering_resolution = 6
    elif change == "depth":
        generator.rendering_kwargs["depth_resolution"] = 7
    elif change == "pool":
        recipes = recipes[::-1]
    else:
        changes = {"metrics": ("fid",)} if change == "modes" else {change: values[change]}
        plan = Plan(**{**plan.__dict__, **changes})
    assert key_of(face_stream(generator, plan, recipes, EXTRACTOR).about()) != before


def test_number_of_images_is_not_in_the_key(generator: Any, plan: Plan, recipes: list[NamedRecipe]) -> None:
    more = Plan(**{**plan.__dict__, "num_images": 999})
    keys = {key_of(face_stream(generator, each, recipes, EXTRACTOR).about()) for each in (plan, more)}
    assert len(keys) == 1


def test_an_unconditional_generator_has_one_kind_of_pictures(recipes: list[NamedRecipe]) -> None:
    generator = tiny_generator().eval()
    stream = face_stream(generator, Plan(("fid",)), recipes, EXTRACTOR)
    with reproducible():
        rows = stream.make(5, 3)
        made = generator.synthesis(generator.mapping(latents([5, 6, 7], 16), torch.zeros(3, 0)), noise_mode="const")
    assert len(stream.modes) == 1 and rows["labels_0"].shape == (3, 0)
    assert np.allclose(rows["features_0"], EXTRACTOR(to_uint8(made)).numpy(), atol=1e-5)
