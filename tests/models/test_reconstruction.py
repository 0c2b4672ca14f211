"""Training of reconstruction networks: what is true of synthetic faces, the errors, the published losses, runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

import facegen
from facegen.checkpoint import checkpoint_files, read_checkpoint
from facegen.cli import compose, main
from facegen.cli.commands import commands
from facegen.data.batch import FaceBatch
from facegen.data.dataset import FaceDataset
from facegen.data.recipe import Recipe
from facegen.data.synthetic import synthesize
from facegen.geometry.perspective import DEEP3D, EG3D
from facegen.models import KnownFaces, Photographs, Reconstruction
from facegen.models.draws import Draws
from facegen.models.reconstruction_photographs import augmented, skin_ids
from facegen.morphable.render import render
from facegen.morphable.views import face_view
from facegen.networks.reconstruction import ReconstructionNetwork
from tests.models.test_resume import assert_same, figures

COUNT, DETAIL, SIDE = 16, 0.3, 64
COLUMNS = [f"coefficients_{kind}" for kind in ("identity", "expression", "albedo", "light")]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def root(own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "faces"
    return synthesize(folder, COUNT, resolution=SIDE, poses="uniform", seed=5, workers=0, detail=DETAIL)


@pytest.fixture(scope="module")
def batch(root: Path) -> FaceBatch:
    recipe = Recipe(str(root), SIDE, labels=True, conditions=[*COLUMNS, "landmarks", "parts"])
    return FaceDataset(recipe)[list(range(8))]


@pytest.fixture(scope="module")
def known(own_cache: None) -> KnownFaces:
    return KnownFaces(detail=DETAIL)


@pytest.fixture(scope="module")
def photographs(known: KnownFaces) -> Photographs:
    """Supervision by pictures, over the small model instead of the whole one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("facegen.models.reconstruction_photographs.MorphableModel.load", lambda name: known.faces.model)
        return Photographs(perspective=EG3D, skin="parts")


def images(batch: FaceBatch) -> Tensor:
    return batch.images / 127.5 - 1


def test_truth_has_the_landmarks_of_the_source(known: KnownFaces, batch: FaceBatch) -> None:
    view = face_view(known.model, known.truth(batch), SIDE)
    expected = batch.conditions["landmarks"].unflatten(1, (68, 2))
    assert (view.landmarks - expected).abs().max() < 1e-3
    assert (view.images - images(batch)).abs()[view.mask.expand(-1, 3, -1, -1)].mean() < 0.1


def test_a_turned_camera_sees_the_warped_picture(known: KnownFaces, batch: FaceBatch) -> None:
    truth = known.model.split(known.truth(batch))
    seen = face_view(known.model, known.truth(batch), SIDE)
    warped, moved = known.turned(seen.images, truth, Draws(0, 0))
    again = face_view(known.model, known.model.layout.join(moved), SIDE)
    # Inside the face, where both pictures have no silhouette: what is left is resampling.
    inside = (torch.nn.functional.avg_pool2d(again.mask.float(), 5, 1, 2) > 0.99).expand(-1, 3, -1, -1)
    assert (warped - again.images).abs()[inside].mean() < 0.02
    assert (seen.images - again.images).abs()[inside].mean() > 0.05, "the turn must be one that can be seen"


def test_errors_are_those_of_whole_faces(known: KnownFaces, batch: FaceBatch) -> None:
    truth = known.truth(batch)
    found = truth + 0.3 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    errors = known.measure(known.model.split(found), known.model.split(truth))
    ours, theirs = known.model(found), known.model(truth)
    shape = (ours.shape - theirs.shape).square().sum(dim=-1).mean(dim=1).sqrt()
    assert torch.allclose(errors.shape, shape, rtol=1e-3)
    assert torch.allclose(errors.albedo, (ours.albedo - theirs.albedo).square().mean(dim=(1, 2)).sqrt(), rtol=1e-3)
    landmarks = (ours.landmarks - theirs.landmarks).norm(dim=-1).mean(dim=1) / EG3D.size
    assert torch.allclose(errors.landmarks, landmarks, rtol=1e-3)
    light = known.model.split(found).light - known.model.split(truth).light
    on_sphere = (light.unflatten(1, (3, 9)) @ known.measure.directions.mT).square().mean(dim=(1, 2)).sqrt()
    assert torch.allclose(errors.light, on_sphere)
    exact = known.measure(known.model.split(truth), known.model.split(truth))
    assert all(bool((error < 2e-3).all()) for error in exact)


def test_rotation_error_is_the_angle(known: KnownFaces, batch: FaceBatch) -> None:
    truth = known.model.split(known.truth(batch)[:1])._replace(angle=torch.zeros(1, 3))
    turned = truth._replace(angle=torch.tensor([[0.0, 0.05, 0.0]]))
    assert known.measure(turned, truth).rotation.item() == pytest.approx(0.05, rel=1e-3)


def test_errors_fall_when_a_network_learns_known_faces(known: KnownFaces, batch: FaceBatch) -> None:
    torch.manual_seed(0)
    model = Reconstruction(known, "resnet18", size=32, learning_rate=3e-3)
    optimizer = model.configure_optimizers()
    losses = []
    for step in range(12):
        found = known(model.network, images(batch), batch, Draws(0, step))
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
        losses.append(found.loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_columns_that_are_missing_are_named(known: KnownFaces, photographs: Photographs, batch: FaceBatch) -> None:
    with pytest.raises(ValueError, match=r"data\.conditions=\[coefficients_identity"):
        known.truth(batch._replace(conditions={}))
    with pytest.raises(ValueError, match=r"data\.labels=true"):
        known.truth(batch._replace(cameras=torch.zeros(8, 0)))
    with pytest.raises(ValueError, match=r"come without landmarks; add data\.conditions=\[landmarks,parts\]"):
        photographs.known(batch._replace(conditions={}))
    with pytest.raises(ValueError, match="column of part ids"):
        Photographs(skin="landmarks")


def test_published_losses_vanish_at_the_truth(known: KnownFaces, photographs: Photographs, batch: FaceBatch) -> None:
    truth = known.truth(batch)
    drawn = render(photographs.model, photographs.model(truth), SIDE)
    landmarks, skin = photographs.known(batch)
    assert 0.05 < skin.mean() < 0.6, "some of a picture is skin"
    terms = photographs.terms(truth, drawn.images, landmarks, skin)
    assert terms.photometric < 2e-3 and terms.landmarks < 1e-3
    off = truth.clone()
    off[:, -3] += 0.3  # to the right
    moved = photographs.terms(off, drawn.images, landmarks, skin)
    assert moved.photometric > 0.02 and moved.landmarks > 100


def test_published_losses_pull_towards_the_picture(
    known: KnownFaces, photographs: Photographs, batch: FaceBatch
) -> None:
    truth = known.truth(batch)
    drawn = render(photographs.model, photographs.model(truth), SIDE)
    landmarks, skin = photographs.known(batch)
    found = truth.clone()
    found[:, -3:] += 0.2
    found[:, photographs.model.layout.identity :][:, :4] += 1.0
    found.requires_grad_()
    optimizer = torch.optim.Adam([found], lr=0.02)
    totals = []
    for _ in range(10):
        total = photographs.terms(found, drawn.images, landmarks, skin).total(photographs.weights)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert bool(found.isfinite().all()) and totals[-1] < 0.6 * totals[0]


def test_identity_compares_the_drawn_face_with_the_picture(
    known: KnownFaces, photographs: Photographs, batch: FaceBatch
) -> None:
    class Pooled(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[1:] == (3, 112, 112)
            return torch.nn.functional.avg_pool2d(x, 14).flatten(1)

    truth = known.truth(batch)
    drawn = render(photographs.model, photographs.model(truth), SIDE)
    landmarks, skin = photographs.known(batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photographs, "identity", Pooled())
        assert photographs.terms(truth, drawn.images, landmarks, skin).identity_features < 1e-3
        other = photographs.terms(truth, drawn.images.roll(1, 0), landmarks.roll(1, 0), skin)
    assert other.identity_features > 0.05
    assert photographs.terms(truth, drawn.images, landmarks, skin).identity_features == 0


def test_augmented_landmarks_stay_on_their_places(batch: FaceBatch) -> None:
    points = torch.full((8, 68, 2), 32.0) + torch.arange(68)[None, :, None] % 5
    dots = torch.full((8, 3, SIDE, SIDE), -1.0)
    dots[:, :, 31:33, 31:33] = 1.0  # around landmark 0
    skin = torch.ones(8, 1, SIDE, SIDE)
    made, moved, seen = augmented(dots, points, skin, Draws(3, 0))
    again = augmented(dots, points, skin, Draws(3, 0))
    assert torch.equal(made, again[0]) and torch.equal(moved, again[1]) and seen.max() == 1
    grid = torch.arange(SIDE) + 0.5
    weight = (made[:, 0] + 1).clamp(min=0)
    centre = (
        torch.stack([(weight.sum(1) * grid).sum(1), (weight.sum(2) * grid).sum(1)], dim=1) / weight.sum((1, 2))[:, None]
    )
    nearest = (moved - centre[:, None]).norm(dim=-1).min(dim=1).values
    assert nearest.max() < 0.3 and (centre - 32).abs().max() > 1


def test_skin_of_each_order_of_parts() -> None:
    assert {len(skin_ids(column)) for column in ("mask", "segmentation")} == {4}
    assert len(skin_ids("parts")) == 2 and 0 not in skin_ids("parts")


@pytest.mark.parametrize("name", ["reconstruction", "reconstruction_synthetic"])
def test_every_configuration_makes_its_model(name: str, known: KnownFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegen.models.reconstruction_photographs.MorphableModel.load", lambda _: known.faces.model)
    coarse = [f"model.supervision.detail={DETAIL}"] if name == "reconstruction_synthetic" else []
    settings = compose.checked(commands()["train"], [f"model={name}", *coarse])
    model = instantiate(OmegaConf.to_container(settings, resolve=True)["model"])  # type: ignore[index, call-overload]
    assert model.batch_size == settings.batch_size and model.network.size == settings.resolution
    assert set(model.supervision.columns) == set(settings.data.conditions)
    if name == "reconstruction":  # as published
        assert model.network.init_kwargs["kind"] == "resnet50" and model.network.perspective == DEEP3D
        assert (model.learning_rate, model.decay, model.ema_kimg) == (1e-4, 0.2, 0.0)


def words(root: Path, runs: Path, *more: str) -> list[str]:
    """Words of `facegen train` for six steps of four faces."""
    settings: dict[str, Any] = {
        "model": "reconstruction_synthetic",
        "model.supervision.detail": DETAIL,
        "model.size": 32,
        "data": "folder",
        "data.root": root,
        "resolution": SIDE,
        "batch_size": 4,
        "total_kimg": 0.024,
        "tick_kimg": 0.008,
        "snapshot_kimg": 0.012,
        "grid": "4x2",
        "workers": 0,
        "threads": 1,
        "device": "cpu",
        "runs_dir": runs,
        "name": "run",
    }
    return ["train", *(f"{key}={value}" for key, value in settings.items()), *more]


@pytest.fixture(scope="module")
def unbroken(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("unbroken")
    assert main(words(root, runs)) == 0
    return runs / "run"


def test_a_run_leaves_figures_pictures_and_a_network(unbroken: Path) -> None:
    names = {path.name for path in unbroken.iterdir()}
    assert {"config.yaml", "log.txt", "metrics.jsonl", "reals.png", "samples", "checkpoints"} <= names
    rows = figures(unbroken)
    assert [row["images_seen"] for row in rows] == [8, 16, 24]
    assert {"loss/total", "error/rotation", "error/landmarks", "grad_norm"} <= rows[0].keys()
    assert {path.stem for path in (unbroken / "samples").iterdir()} == {"00000.000", "00000.012", "00000.024"}
    assert re.search(r"  loss \d+\.\d+  left", (unbroken / "log.txt").read_text())
    network = facegen.load(unbroken)
    assert isinstance(network, ReconstructionNetwork) and not network.training
    assert network.perspective == EG3D and network.size == 32 and network.morphable == "procedural"


def test_a_run_goes_on_to_the_same_bits(unbroken: Path, root: Path, tmp_path: Path) -> None:
    assert main(words(root, tmp_path, "total_kimg=0.012")) == 0
    assert main(words(root, tmp_path, "resume=auto")) == 0
    ours, theirs = (read_checkpoint(checkpoint_files(run)[-1]) for run in (tmp_path / "run", unbroken))
    for key in ("state_dict", "optimizer_states", "facegen"):
        assert_same(ours[key], theirs[key], key)


def test_mistakes_end_in_one_line(
    unbroken: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*more: str) -> str:
        capsys.readouterr()
        assert main(words(root, tmp_path, *more)) == 2
        return capsys.readouterr().err

    assert "finetune_from" in refused(f"resume={checkpoint_files(unbroken)[-1]}", "model.learning_rate=0.1")
    assert "does not fit" in refused(f"finetune_from={unbroken}", "model.kind=resnet50")
    assert "evaluation" in refused("evaluation.every_kimg=[1]")
    assert "add data.labels=true" in refused("data.labels=false")
    assert "coefficients_identity" in refused("data.conditions=[]")


def test_weights_of_a_run_start_another(unbroken: Path, root: Path, tmp_path: Path) -> None:
    exported = tmp_path / "exported"
    assert main(["export", f"checkpoint={unbroken}", f"out={exported}"]) == 0
    settings = (f"finetune_from={exported}", "total_kimg=0.004", "model.learning_rate=0.0")
    assert main(words(root, tmp_path, *settings)) == 0
    started, ours = facegen.load(exported), facegen.load(tmp_path / "run")
    for (name, theirs), (_, mine) in zip(started.named_parameters(), ours.named_parameters(), strict=True):
        assert torch.equal(theirs, mine), name


def test_generators_are_asked_for_where_one_is_needed(
    unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", f"checkpoint={unbroken}", "seeds=0", f"outdir={tmp_path}"]) == 2
    assert "holds a reconstruction network, expected a generator" in capsys.readouterr().err


def test_learning_rate_falls_in_steps(known: KnownFaces) -> None:
    model = Reconstruction(known, "resnet18", size=32, decay_kimg=1.0)
    rates = []
    for model.images_seen in (0, 999, 1000, 2500):
        rates.append(model.rate())
    assert np.allclose(rates, [1e-4, 1e-4, 2e-5, 4e-6])


def test_a_backbone_of_imagenet_starts_the_network(known: KnownFaces, tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    theirs = ReconstructionNetwork("resnet18").backbone.state_dict()
    torch.save({**theirs, "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, path)
    model = Reconstruction(known, "resnet18", size=32, backbone=str(path))
    for network in (model.network, model.network_ema):
        assert_same(dict(network.backbone.state_dict()), dict(theirs))
    with pytest.raises(ValueError, match=r"has shape \(64, 64, 3, 3\), expected \(64, 64, 1, 1\)"):
        Reconstruction(known, "resnet50", size=32, backbone=str(path))
    torch.save({name: tensor for name, tensor in theirs.items() if name != "layer2.0.bn1.bias"}, path)
    with pytest.raises(ValueError, match=r"has no tensor layer2\.0\.bn1\.bias, which a resnet18 has"):
        Reconstruction(known, "resnet18", size=32, backbone=str(path))
    torch.save({**theirs, "conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    with pytest.raises(ValueError, match=r"conv1\.weight has shape \(64, 1, 7, 7\), expected \(64, 3, 7, 7\)"):
        Reconstruction(known, "resnet18", size=32, backbone=str(path))
    with pytest.raises(ValueError, match="expected a file of ImageNet weights"):
        Reconstruction(known, "resnet18", size=32, backbone=str(tmp_path / "absent.pth"))
