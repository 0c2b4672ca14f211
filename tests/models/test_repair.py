"""Repair: the pull toward a mean, the choice, and what a killed run goes on from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from facegen.checkpoint import weights_digest
from facegen.data import Recipe
from facegen.data.labels import LABELS_FILE
from facegen.data.pictures import to_uint8
from facegen.losses.perceptual import PyramidDistance
from facegen.models import inversion, repair
from facegen.models.repair import Candidate, Encoded, Judgement, Judges, kept
from facegen.models.repair.source import KEPT, REPORT, Plan, encode, repair_source
from facegen.networks import eg3d
from tests.models.test_inversion import flat, solid, views

SIDE = 16


def grey(pictures: Tensor) -> Tensor:
    """Means over quarters of pictures, in place of a face recogniser."""
    return torch.nn.functional.adaptive_avg_pool2d(pictures.float() / 255, 2).flatten(1)


def bright(pictures: Tensor) -> Tensor:
    """The taste of somebody who likes light."""
    return pictures.float().mean(dim=(1, 2, 3)) / 255


def plan(network: Any, wanted: list[Candidate], judges: Judges, named: str = "", **changes: Any) -> Plan:
    search = repair.Search(weights_digest(network), steps=3, average_samples=50)
    return Plan(search, PyramidDistance(), wanted, judges, {"named": named}, **{"batch_size": 2, **changes})


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Five pictures, one of them in a folder of its own."""
    random = np.random.default_rng(0)
    for name in ("a", "b", "c", "d", "more/e"):
        path = tmp_path / "faces" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
    return tmp_path / "faces"


def test_the_pull_leaves_psi_of_the_way_in_its_layers_only() -> None:
    ws = torch.arange(24.0).reshape(4, 6)
    encoded = Encoded(torch.full((4, 6), 2.0), torch.ones(4))
    whole, coarse, fine, far = repair.pulled(
        ws, encoded, [Candidate(0.25), Candidate(0.5, "coarse"), Candidate(0.0, "fine"), Candidate(1.0)]
    )
    torch.testing.assert_close(whole - 2, 0.25 * (ws - 2))
    torch.testing.assert_close(coarse[:2] - 2, 0.5 * (ws[:2] - 2))
    assert torch.equal(coarse[2:], ws[2:]) and torch.equal(far, ws)
    assert torch.equal(fine[2:], encoded.mean[2:]) and torch.equal(fine[:2], ws[:2])


def test_noise_has_its_length_in_deviations_and_is_alike_for_everybody() -> None:
    ws = torch.zeros(4, 512)
    encoded = Encoded(torch.zeros(4, 512), torch.tensor([1.0, 2.0, 4.0, 8.0]))
    none, first, second = repair.pulled(ws, encoded, repair.candidates([1.0], ["all"], draws=2), noise=0.5)
    assert torch.equal(none, ws)
    torch.testing.assert_close(first.norm(dim=1), 0.5 * encoded.deviation, rtol=0.1, atol=0)
    assert not torch.equal(first, second)
    again = repair.pulled(ws + 1, encoded, [Candidate(1.0, "all", 1)], noise=0.5)[0]
    torch.testing.assert_close(again - 1, first)


def test_encoded_pictures_have_a_mean_of_their_own_in_each_layer() -> None:
    ws = torch.stack([torch.zeros(3, 4), torch.tensor([[2.0], [4.0], [6.0]]).expand(3, 4)])
    encoded = repair.encoded_mean(ws)
    torch.testing.assert_close(encoded.mean[:, 0], torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(encoded.deviation, torch.tensor([2.0, 4.0, 6.0]))
    torch.testing.assert_close(repair.remoteness(ws, encoded), torch.ones(2))
    assert repair.remoteness(encoded.mean[None], encoded).item() == 0
    with pytest.raises(ValueError, match="got 1 pictures, expected at least 2"):
        repair.encoded_mean(ws[:1])


def test_candidates_that_are_the_same_come_once() -> None:
    assert repair.candidates([1.0, 0.5], ["all", "fine"]) == [
        Candidate(1.0),
        Candidate(0.5, "all"),
        Candidate(0.5, "fine"),
    ]
    with pytest.raises(ValueError, match="psi: got"):
        repair.candidates([1.2])
    with pytest.raises(ValueError, match="layers: got"):
        repair.candidates([0.5], ["middle"])  # type: ignore[list-item]


def test_the_best_to_taste_that_is_still_the_same_person() -> None:
    judged = [Judgement(1.0, 0.2, 0.3), Judgement(0.8, 0.5, 0.6), Judgement(0.1, 0.9, 0.99)]
    assert repair.choose(judged, 0.6) == 1 and repair.choose(judged) == 2 and repair.choose(judged, 0.1) is None
    untasted = [each._replace(taste=None) for each in judged]
    assert repair.choose(untasted, 0.6) == 1  # nearest to the mean
    assert repair.choose(judged, 0.6, enough=0.2) == 0 and repair.choose(judged, enough=0.5) == 1  # the most alike
    assert repair.choose(judged, 0.6, enough=0.9) == 1  # not liked enough: the most liked
    unknown = [each._replace(distance=None) for each in judged]
    assert repair.choose(unknown, 0.6, enough=0.5) == 1  # the least pulled
    assert repair.choose([each._replace(taste=0.0) for each in judged], 0.4) == 0


@pytest.mark.parametrize("network", [flat(), solid()], ids=["stylegan2", "eg3d"])
@torch.no_grad()
def test_psi_1_is_the_picture_of_the_latent_and_psi_0_that_of_the_mean(network: Any) -> None:
    camera = views(1) if eg3d.is_3d(network) else None
    ws = torch.randn(2, network.num_ws, network.w_dim, generator=torch.Generator().manual_seed(1))
    encoded = repair.encoded_mean(ws)
    first = to_uint8(inversion.synthesize(network, ws[:1], camera).image)[0]
    middle = to_uint8(inversion.synthesize(network, encoded.mean[None], camera).image)[0]
    judges, wanted = Judges(grey, None, 1e-3), repair.candidates([0.0, 0.6, 1.0])
    found = repair.repair(network, first, ws[0], encoded, wanted, judges, None if camera is None else camera[0])
    assert (found.pictures[2].int() - first.int()).abs().max() <= 1
    assert (found.pictures[0].int() - middle.int()).abs().max() <= 1
    assert found.chosen == 2  # the only one at no distance
    assert [round(each.remoteness, 4) for each in found.judgements] == [0.0, 0.6, 1.0]


def test_a_source_becomes_a_source(faces: Path, tmp_path: Path) -> None:
    network, wanted, out = flat(), repair.candidates([1.0, 0.5]), tmp_path / "out"
    chosen = plan(network, wanted, Judges(grey, bright))
    recipe = Recipe([faces], resolution=SIDE)
    encoded = repair.encoded_mean(encode(network, recipe, chosen, out / KEPT, 3))
    entries = repair_source(network, recipe, encoded, chosen, out)
    assert [entry["id"] for entry in entries] == recipe.rows["id"].to_pylist()
    assert Recipe([out], resolution=SIDE).rows["id"].to_pylist() == recipe.rows["id"].to_pylist()
    stored = json.loads((out / REPORT).read_text())
    assert stored["faces"] == entries and stored["settings"]["steps"] == 3
    for entry in entries:
        best = max(entry["candidates"], key=lambda each: each["taste"])
        assert entry["psi"] == best["psi"] and entry["taste"] == best["taste"]
        with Image.open(out / entry["file"]) as picture:
            shown = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
        assert bright(shown).item() == pytest.approx(entry["taste"], abs=1e-6)


def test_a_killed_run_goes_on_and_other_plans_are_done_again(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, recipe, searched = flat(), Recipe([faces], resolution=SIDE), []
    encoded = repair.mapping_mean(network, torch.zeros(1, 0), 50)
    whole = tmp_path / "whole"
    half, bright_ones = (
        plan(network, repair.candidates([psi]), Judges(grey, None), named)
        for psi, named in ((0.5, "half"), (0.2, "most"))
    )
    unbroken = repair_source(network, recipe, encoded, half, whole)

    def counted(*args: Any, **settings: Any) -> Any:
        searched.append(len(args[1]))
        if sum(searched) == 5 and len(searched) == 3:
            raise KeyboardInterrupt
        return inversion.invert(*args, **settings)

    monkeypatch.setattr(kept, "invert", counted)
    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        repair_source(network, recipe, encoded, half, broken)
    assert not (broken / REPORT).exists() and len(list(broken.rglob("*.png"))) == 4
    assert repair_source(network, recipe, encoded, half, broken) == unbroken
    assert searched == [2, 2, 1, 1]  # the last batch alone was searched again
    assert repair_source(network, recipe, encoded, bright_ones, broken) != unbroken
    assert repair_source(network, recipe, encoded, half, broken) == unbroken and len(searched) == 4
    assert (broken / "a.png").read_bytes() == (whole / "a.png").read_bytes()


def test_who_becomes_somebody_else_is_left_out_and_taken_away(faces: Path, tmp_path: Path) -> None:
    network, recipe, out = flat(), Recipe([faces], resolution=SIDE), tmp_path / "out"
    encoded = repair.mapping_mean(network, torch.zeros(1, 0), 50)
    everybody = plan(network, [Candidate(0.0)], Judges(grey))
    distances = sorted(each["distance"] for each in repair_source(network, recipe, encoded, everybody, out))
    limit = (distances[1] + distances[2]) / 2
    entries = repair_source(network, recipe, encoded, everybody._replace(judges=Judges(grey, None, limit)), out)
    left = [entry for entry in entries if entry["file"] is None]
    assert len(left) == 3 and all("somebody else" in entry["reason"] for entry in left)
    assert len(list(out.rglob("*.png"))) == 2


def test_cameras_come_along(faces: Path, tmp_path: Path) -> None:
    network, names = solid(), ["a.png", "b.png", "c.png", "d.png", "more/e.png"]
    given = dict(zip(names, views(5).tolist(), strict=True))
    (faces / LABELS_FILE).write_text(json.dumps({"labels": list(given.items())}))
    recipe, out = Recipe([{"root": faces, "ids": ["b", "d"]}], resolution=SIDE, labels=True), tmp_path / "out"
    encoded = repair.mapping_mean(network, inversion.average_camera(network), 50)
    repair_source(network, recipe, encoded, plan(network, [Candidate(0.7)], Judges()), out)
    labels = dict(json.loads((out / LABELS_FILE).read_text())["labels"])
    assert labels.keys() == {"b.png", "d.png"}
    assert np.allclose(labels["d.png"], given["d.png"])


def test_a_folder_of_somebody_else_is_not_written_to(faces: Path, tmp_path: Path) -> None:
    network, recipe = flat(), Recipe([faces], resolution=SIDE)
    encoded = repair.mapping_mean(network, torch.zeros(1, 0), 50)
    with pytest.raises(ValueError, match="holds other files"):
        repair_source(network, recipe, encoded, plan(network, [Candidate(0.7)], Judges()), faces)
    out = tmp_path / "out"
    (out / KEPT).mkdir(parents=True)
    (out / REPORT).write_text(json.dumps({"faces": [{"id": "x", "file": "../faces/a.png", "sha256": ""}]}))
    with pytest.raises(ValueError, match="outside of"):
        repair_source(network, recipe, encoded, plan(network, [Candidate(0.7)], Judges()), out)
    assert (faces / "a.png").exists()
