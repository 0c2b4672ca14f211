"""Training of the parser: it learns, picture and mask stay together, runs resume, wrong masks are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from torch.nn.functional import max_pool2d

import facegen
from facegen.checkpoint import checkpoint_files, read_checkpoint
from facegen.cli import compose, main
from facegen.cli.commands import commands
from facegen.data.batch import FaceBatch
from facegen.data.masks import CELEBAMASK, FACE_PARSING
from facegen.data.part_orders import painted, part_colors, part_names
from facegen.losses.parsing import parsing_loss
from facegen.models import FaceParser
from facegen.models.draws import Draws
from facegen.models.parser import ParsingAugmentation, moved, worsened
from facegen.networks.parsing import parse
from tests.evaluation.toy_faces import SIDE, toy_folder
from tests.models.test_resume import assert_same

STILL = ParsingAugmentation(*[0.0] * 8)


def parser(**changes: Any) -> FaceParser:
    torch.manual_seed(0)
    return FaceParser(**{"size": SIDE, "widths": [8, 16], "batch_size": 4, "total_kimg": 1.0, **changes})


def coloured(count: int = 8, side: int = SIDE) -> FaceBatch:
    """Pictures that are their masks in colours."""
    ids, block = torch.randint(3, (count, 1, 4, 4), generator=torch.Generator().manual_seed(1)).byte(), side // 4
    ids = ids.repeat_interleave(block, dim=2).repeat_interleave(block, dim=3)
    return FaceBatch(painted(ids, part_names("parts")), torch.zeros(count, 0), {"parts": ids}, [])


def test_it_learns_a_toy_segmentation() -> None:
    model, batch = parser(learning_rate=1e-2), coloured()
    optimizer = model.configure_optimizers()
    for step in range(40):
        images, ids = model.examples(batch, Draws(0, step))
        optimizer.zero_grad()
        parsing_loss(model.network(images), ids).mean().backward()
        optimizer.step()
    found = parse(model.network.eval(), batch.images / 127.5 - 1)
    assert (found == batch.conditions["parts"]).float().mean() > 0.9


def test_pictures_and_masks_move_together() -> None:
    batch = coloured(side=64)
    images, ids = batch.images / 127.5 - 1, batch.conditions["parts"]
    moved_images, moved_ids = moved(images, ids, ParsingAugmentation(), Draws(0, 0))
    expected = painted(moved_ids.byte(), part_names("parts")) / 127.5 - 1
    inside = max_pool2d(moved_ids, 3, 1, 1) == -max_pool2d(-moved_ids, 3, 1, 1)
    inside[:, :, :12], inside[:, :, -12:], inside[..., :12], inside[..., -12:] = False, False, False, False  # stretched
    assert (moved_images - expected).abs().mean(dim=1, keepdim=True)[inside].max() < 1e-4
    assert set(moved_ids.unique().tolist()) <= {0.0, 1.0, 2.0} and (moved_ids != ids).float().mean() > 0.1
    still = moved(images, ids, STILL, Draws(0, 0))
    torch.testing.assert_close(still[0], images, atol=1e-4, rtol=0)
    assert torch.equal(still[1], ids.float())


def test_pictures_get_worse_and_no_worse_than_asked_for() -> None:
    images = coloured().images / 127.5 - 1
    torch.testing.assert_close(worsened(images, STILL, Draws(0, 0)), images)
    noisy = worsened(images, STILL._replace(noise=0.1), Draws(0, 0))
    deviation = (noisy - images).std(dim=(1, 2, 3))
    assert deviation.min() > 0 and deviation.max() < 0.11
    grey = worsened(images * 0, STILL._replace(brightness=0.2), Draws(0, 0))
    assert grey.abs().max() <= 0.2 and grey.std(dim=(1, 2, 3)).max() < 1e-6


def test_two_processes_see_the_step_of_one() -> None:
    model, batch = parser(), coloured()
    whole = model.examples(batch, Draws(0, 4))
    for rank in range(2):
        part = FaceBatch(batch.images[rank::2], batch.cameras, {"parts": batch.conditions["parts"][rank::2]}, [])
        mine = model.examples(part, Draws(0, 4, rank=rank, world_size=2))
        for ours, theirs in zip(mine, whole, strict=True):
            assert torch.equal(ours, theirs[rank::2])


def test_the_learning_rate_ends_at_nothing() -> None:
    model, rates = parser(learning_rate=0.01), []
    for model.images_seen in (0, 500, 1000, 2000):
        rates.append(model.rate())
    assert rates == pytest.approx([0.01, 0.005, 0, 0])


def test_parts_of_each_column() -> None:
    assert part_names("mask") == CELEBAMASK and part_names("segmentation") == FACE_PARSING
    assert part_names("parts")[:2] == ("background", "skin")
    assert len({tuple(color) for color in part_colors(CELEBAMASK).tolist()}) == 19
    assert part_colors(FACE_PARSING)[FACE_PARSING.index("hair")].tolist() == [0, 0, 204]
    assert len({tuple(color) for color in part_colors(["skin", "crown", "mask"]).tolist()}) == 3


def test_wrong_masks_are_refused() -> None:
    model, batch = parser(), coloured()
    with pytest.raises(ValueError, match=r"without parts; add data\.conditions=\[parts\]"):
        model.examples(batch._replace(conditions={}), Draws(0, 0))
    with pytest.raises(ValueError, match=r"parts has the id 9, expected 0 to 8 \(cloth\)"):
        model.examples(batch._replace(conditions={"parts": batch.conditions["parts"] + 7}), Draws(0, 0))
    with pytest.raises(ValueError, match="got pictures of 32 pixels, expected 16"):
        model.examples(coloured(side=32), Draws(0, 0))
    with pytest.raises(ValueError, match="expected one of face parts: mask, segmentation, parts"):
        parser(column="hair")
    with pytest.raises(ValueError, match="augment: got turn, expected some of turn_degrees"):
        parser(augment={"turn": 3})


@pytest.mark.parametrize(("name", "parts"), [("parser", 19), ("parser_tiny", 9)])
def test_every_configuration_makes_its_model(name: str, parts: int) -> None:
    settings = compose.checked(commands()["train"], [f"model={name}"])
    model = instantiate(OmegaConf.to_container(settings, resolve=True)["model"])  # type: ignore[index, call-overload]
    assert model.network.size == settings.resolution and len(model.network.parts) == parts
    assert list(settings.data.conditions) == [model.column] and model.total_images == settings.total_kimg * 1000


def words(root: Path, runs: Path, *more: str) -> list[str]:
    """Words after `facegen train` for four steps of four faces."""
    settings = {
        "model": "parser_tiny",
        "model.widths": "[8,8]",
        "data": "folder",
        "data.root": root,
        "resolution": SIDE,
        "batch_size": 4,
        "total_kimg": 0.016,
        "tick_kimg": 0.008,
        "snapshot_kimg": 0.008,
        "grid": "2x1",
        "workers": 0,
        "threads": 1,
        "device": "cpu",
        "runs_dir": runs,
        "held_out": f"{{root: {root}}}",
    }
    return [f"{key}={value}" for key, value in settings.items()] + list(more)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("parser")
    root = toy_folder(home / "faces")
    assert main(["train", *words(root, home / "runs", "name=run")]) == 0
    return home / "runs/run"


def rows(run: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "parsing.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


def test_a_run_from_the_command_line(run: Path) -> None:
    assert [row["images_seen"] for row in rows(run)] == [0, 8, 16]
    assert {"miou", "iou/background", "iou/skin", "iou/hair", "iou/cloth"} <= rows(run)[0].keys()
    assert "iou/ear" not in rows(run)[0], "no face has ears"
    assert Image.open(run / "samples/00000.016.png").size == (6 * SIDE, SIDE), "picture, truth, found"
    assert facegen.load(run).parts == part_names("parts")


def test_an_export_says_what_it_is(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", f"checkpoint={run}", f"out={tmp_path / 'out'}"]) == 0
    assert "ParsingNetwork, 16 pixels, 9 parts of faces" in capsys.readouterr().out
    assert main(["generate", f"checkpoint={run}", "seeds=0", f"outdir={tmp_path}"]) == 2
    assert "holds a parser of face parts, expected a generator" in capsys.readouterr().err


def test_a_resumed_run_ends_alike(run: Path, tmp_path: Path) -> None:
    root = run.parents[1] / "faces"
    assert main(["train", *words(root, tmp_path, "name=run")]) == 0
    half, whole = checkpoint_files(tmp_path / "run")
    whole.unlink()
    assert main(["train", *words(root, tmp_path, "name=run", "resume=auto")]) == 0
    ours, theirs = (read_checkpoint(checkpoint_files(folder)[-1]) for folder in (tmp_path / "run", run))
    for key in ("state_dict", "optimizer_states", "facegen"):
        assert_same(ours[key], theirs[key], key)
    assert rows(tmp_path / "run") == rows(run) and half.exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["data.conditions=[]"], "without parts; add data.conditions=[parts]"),
        (["held_out=3"], "held_out: got 3, expected settings of data"),
        (["held_out={rot: 3}"], "held_out.rot"),
        (["evaluation.every_kimg=[1]"], "leave them out for a parser"),
        (["model.column=mask"], "without mask; add data.conditions=[mask]"),
    ],
)
def test_mistakes_end_in_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    said = {word.partition("=")[0] for word in more}
    others = [word for word in words(run.parents[1] / "faces", tmp_path) if word.partition("=")[0] not in said]
    assert main(["train", "name=run", *others, *more]) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
