"""Latent diffusion told by captions and by numbers: it learns to listen; runs resume, and split over processes."""

from pathlib import Path
from typing import Any

import pytest
import torch

from facegen.checkpoint import load
from facegen.cli import main
from facegen.data import FaceDataModule, Recipe
from facegen.data.batch import FaceBatch
from facegen.data.index import build_index
from facegen.models.draws import Draws
from facegen.morphable.regressor import load_regressor
from tests.data.samples.mm_celebahq import captions_of, make_mm_celebahq
from tests.models.test_resume import assert_same_run, figures, train
from tests.models.tiny import TINY_UNET, diffusion_overrides, tiny_latent_diffusion
from tests.morphable.test_regressor import small_export

CAPTION = {"kind": "text", "tokens": 6, "layers": 1, "heads": 2}
NUMBERS = {"kind": "numbers", "size": 1, "columns": ["yaw"]}
DIT = {"width": 32, "depth": 2, "heads": 4}


@pytest.mark.parametrize(
    ("backbone", "conditions"),
    [("unet", {"caption": CAPTION}), ("dit", {"caption": CAPTION}), ("dit", {"yaw": NUMBERS})],
    ids=["unet-text", "dit-text", "dit-numbers"],
)
def test_a_denoiser_learns_to_listen(backbone: Any, conditions: dict[str, Any]) -> None:
    """Latents are all low or all high, as their condition says: told, pure noise is enough to know which."""
    denoiser = DIT if backbone == "dit" else {**TINY_UNET, "channels": [16, 32]}
    often_noise = {"objective": "flow", "logit_mean": 3.0}  # where nothing but the condition tells
    model = tiny_latent_diffusion(
        backbone=backbone, denoiser=denoiser, conditions=conditions, process=often_noise, base_rate=5e-4
    )
    optimizer, generator = model.configure_optimizers(), torch.Generator().manual_seed(0)
    for clock in range(75):
        optimizer.zero_grad()
        model.loss(model.noised(low_or_high(generator), Draws(0, 8 * clock)), slice(0, 8)).mean().backward()
        optimizer.step()
    noised = model.noised(low_or_high(generator), Draws(0, 0))._replace(t=torch.full((8,), 950.0))
    errors = [
        model.loss(noised._replace(kept=dict.fromkeys(conditions, torch.full((8,), kept))), slice(0, 8)).mean().item()
        for kept in (True, False)
    ]
    assert errors[0] < 0.4 < 0.8 < errors[1], errors


def low_or_high(generator: torch.Generator) -> FaceBatch:
    """Eight faces whose latents, 2 x 8 x 8, are -1 or 1 everywhere."""
    high = torch.rand(8, generator=generator) < 0.5
    value = 2 * high[:, None].float() - 1
    captions = [["the face is white", "a white one"] if h else ["the face is black", "a black one"] for h in high]
    moments = torch.cat([value.view(-1, 1, 1, 1).expand(8, 2, 8, 8), torch.full((8, 2, 8, 8), -30.0)], dim=1)
    conditions = {"captions": captions, "yaw": value, "moments": moments}
    return FaceBatch(torch.empty(8, 3, 0, 0), torch.zeros(8, 0), conditions, ["face"] * 8)


# Runs ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = make_mm_celebahq(tmp_path_factory.mktemp("mm"), size=32)
    build_index(home)
    return home


TOLD = "{caption: {kind: text, tokens: 6, layers: 1, heads: 2, dropout: 0.3}}"


def words(faces: Path, runs: Path, *more: str, told: str = TOLD) -> list[str]:
    own = ("name=run", "total_kimg=0.032", "data.labels=false", "data.conditions=[captions]")
    given = diffusion_overrides(faces, runs, *own, *more)
    return [f"model.conditions={told}" if word.startswith("model.conditions=") else word for word in given]


@pytest.fixture(scope="module")
def unbroken(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("unbroken")
    assert main(["train", *words(faces, runs)]) == 0
    return runs / "run"


def test_a_run_gives_a_generator_that_listens(unbroken: Path) -> None:
    generator: Any = load(unbroken)
    assert generator.condition_names == ("caption",) and generator.c_dim == 0
    for weights in generator.denoiser.parameters():  # what ends a residual has hardly left zero
        torch.nn.init.normal_(weights, std=0.1)
    z = torch.randn(2, generator.z_dim, generator=torch.Generator().manual_seed(0))
    told = [generator(z, conditions={"caption": [text] * 2}) for text in (captions_of(0)[0], "He wears a hat.")]
    assert told[0].shape == (2, 3, 16, 16) and not torch.equal(*told)
    guided = generator(z, conditions={"caption": [captions_of(0)[0]] * 2}, guidance=3.0)
    assert not torch.equal(guided, told[0])


def test_a_run_in_two_parts_ends_like_one(faces: Path, unbroken: Path, tmp_path: Path) -> None:
    command = words(faces, tmp_path, "resume=auto", f"model.first_stage={unbroken.parent / 'first_stage'}")
    for total in (0.016, 0.032):
        assert main(["train", *command, f"total_kimg={total}"]) == 0
    assert_same_run(tmp_path / "run", unbroken)


def test_two_processes_train_like_one(faces: Path, unbroken: Path, tmp_path: Path) -> None:
    train(words(faces, tmp_path, "processes=2", "total_kimg=0.016"))
    for ours, theirs in zip(figures(tmp_path / "run"), figures(unbroken), strict=False):
        for key in ("loss/total", "grad_norm"):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-3), key


def test_coefficients_are_seen_where_faces_come_without(faces: Path, tmp_path: Path) -> None:
    """Also in flipped pictures, for which no table has any; their statistics are those of what is seen."""
    folder = small_export(tmp_path)
    light = "{light: {kind: numbers, size: 27, columns: [coefficients_light]}}"
    more = ("data.conditions=[]", f"model.regressor={folder}", "total_kimg=0.008")
    assert main(["train", *words(faces, tmp_path, *more, told=light)]) == 0
    generator: Any = load(tmp_path / "run")
    regressor, dataset = load_regressor(folder), FaceDataModule(Recipe(faces, 16, mirror=True), 4, workers=0).dataset
    seen = regressor.split(regressor.coefficients(dataset[list(range(12))].images / 127.5 - 1)).light
    kept = generator.conditioner.embeddings["light"]
    torch.testing.assert_close(kept.mean, seen.mean(dim=0), atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(kept.std, seen.std(dim=0, correction=0), atol=1e-5, rtol=1e-2)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["data.conditions=[]"], "the faces come without captions; add data.conditions=[captions]"),
        (["model.conditions.caption.encoder=nowhere"], "encoder: got 'nowhere', which is no folder here"),
        (["model.conditions.caption.kind=txt"], "caption: got the kind 'txt', expected one of numbers, class, text"),
    ],
)
def test_mistakes_are_one_line(
    more: list[str], said: str, faces: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *words(faces, tmp_path, *more)]) == 2
    err = capfd.readouterr().err  # the dataset's licence, and one line
    assert err.strip().splitlines()[-1].startswith("facegen: ") and said in err and "Traceback" not in err
