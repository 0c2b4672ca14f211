from pathlib import Path

import numpy as np
import pytest
import torch

from facegen.data.synthetic.faces import Face as Synthetic
from facegen.data.synthetic.faces import Settings, make_face
from facegen.geometry.perspective import EG3D
from facegen.morphable.procedural import PARTS, ProceduralHead, build_head, random_person
from facegen.morphable.procedural_model import ProceduralFaces
from facegen.morphable.render import render
from tests.morphable.conftest import DETAIL

SIDE = 96


@pytest.fixture(scope="module")
def head() -> ProceduralHead:
    return build_head(DETAIL)


@pytest.fixture(scope="module")
def made(head: ProceduralHead) -> list[Synthetic]:
    return [make_face(head, Settings(5, SIDE, "uniform", DETAIL), number) for number in range(6)]


@pytest.fixture(scope="module")
def coefficients(faces: ProceduralFaces, made: list[Synthetic]) -> torch.Tensor:
    columns = [[face.person[kind] for face in made] for kind in range(3)]
    columns += [[face.light.ravel() for face in made], [face.label for face in made]]
    return faces.coefficients(*(torch.from_numpy(np.stack(column)) for column in columns))


def test_coefficients_of_synthetic_faces_give_their_landmarks(
    faces: ProceduralFaces, made: list[Synthetic], coefficients: torch.Tensor
) -> None:
    model = faces.model.with_perspective(EG3D.at(SIDE))
    points = model.perspective.image_points(model(coefficients).camera[:, model.landmarks])
    truth = torch.from_numpy(np.stack([face.picture.landmarks for face in made]))
    torch.testing.assert_close(points, truth, atol=2e-3, rtol=0)


def test_renders_look_like_the_pictures(
    faces: ProceduralFaces, made: list[Synthetic], coefficients: torch.Tensor
) -> None:
    model = faces.model.with_perspective(EG3D.at(SIDE))
    drawn = render(model, model(coefficients))
    pictures = torch.from_numpy(np.stack([face.picture.image for face in made])).permute(0, 3, 1, 2) / 127.5 - 1
    skin = torch.from_numpy(np.stack([face.picture.parts for face in made]) == PARTS.index("skin"))[:, None]
    both = skin & drawn.masks
    assert both.float().mean() > 0.1
    difference = (drawn.images - pictures).abs().mean(dim=1, keepdim=True)[both]
    assert difference.median() < 0.03  # highlights and antialiased borders are not modelled
    assert drawn.parts is not None
    assert (drawn.parts[both] == PARTS.index("skin") + 1).float().mean() > 0.95


def test_people_have_coefficients_of_unit_variance(faces: ProceduralFaces, head: ProceduralHead) -> None:
    people = [random_person(head, np.random.default_rng([9, number])) for number in range(600)]
    for kind, coding in enumerate((faces.identity, faces.expression, faces.albedo)):
        values = coding.encode(torch.from_numpy(np.stack([person[kind] for person in people])))
        assert values.mean(dim=0).abs().max() < 0.25
        assert (values.std(dim=0) - 1).abs().max() < 0.35


def test_hair_clothes_and_the_back_of_the_head_are_left_out(faces: ProceduralFaces) -> None:
    assert faces.model.parts is not None
    assert not set(faces.model.parts.tolist()) & {PARTS.index("hair"), PARTS.index("cloth")}
    assert 0 < len(faces.model.front) < len(faces.model.triangles)


def test_the_word_procedural_is_the_built_in_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from facegen.morphable.model import MorphableModel

    monkeypatch.setenv("FACEGEN_CACHE", str(tmp_path))
    monkeypatch.setattr("facegen.morphable.procedural_model.load_head", lambda cache, detail: build_head(DETAIL))
    assert MorphableModel.load("procedural").name.startswith("procedural head")
