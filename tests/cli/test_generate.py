"""Pictures, grids and films of a tiny generator."""

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import facegen as package
from facegen.cli import generate_tracks, sampling
from tests.cli.conftest import Facegen


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_pictures_and_grid(facegen: Facegen, export: Path, tmp_path: Path) -> None:
    status, out, _ = facegen("generate", f"checkpoint={export}", "seeds=3,0-1", "grid=3x1", f"outdir={tmp_path}")
    assert status == 0 and "3 pictures" in out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grid.png", "seed0000.png", "seed0001.png", "seed0003.png"]
    row = np.concatenate([pixels(tmp_path / f"seed{s:04d}.png") for s in (3, 0, 1)], axis=1)
    assert np.array_equal(pixels(tmp_path / "grid.png"), row)


def test_seed_is_the_official_one(facegen: Facegen, export: Path, tmp_path: Path) -> None:
    facegen("generate", f"checkpoint={export}", "seeds=5", "truncation=0.5", f"outdir={tmp_path}")
    network = package.load(export)
    z = torch.from_numpy(np.random.RandomState(5).randn(1, 16)).float()
    with torch.no_grad():
        image = network.synthesis(network.mapping(z, None, truncation_psi=0.5), noise_mode="const")
    expected = (image * 127.5 + 128).clamp(0, 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(pixels(tmp_path / "seed0005.png"), expected)


def test_batches_give_the_same_pictures(facegen: Facegen, export: Path, tmp_path: Path) -> None:
    for size in (1, 4):
        facegen("generate", f"checkpoint={export}", "seeds=0-4", f"batch_size={size}", f"outdir={tmp_path / str(size)}")
    difference = pixels(tmp_path / "1/grid.png").astype(int) - pixels(tmp_path / "4/grid.png")
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("interpolation", ["w", "z"])
def test_video_starts_at_the_key_frames(facegen: Facegen, export: Path, tmp_path: Path, interpolation: str) -> None:
    words = ["video=true", "frames=5", "seeds=0-2", "grid=2x1", f"interpolation={interpolation}", "batch_size=3"]
    assert facegen("generate", f"checkpoint={export}", *words, f"outdir={tmp_path}")[0] == 0
    facegen("generate", f"checkpoint={export}", "seeds=0-2", f"outdir={tmp_path}")
    with av.open(str(tmp_path / "video.mp4")) as container:
        film = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(film) == 15 and film[0].shape == (16, 32, 3)
    cells = [pixels(tmp_path / f"seed{s:04d}.png") for s in (0, 1)]
    assert np.abs(film[0].astype(float) - np.concatenate(cells, axis=1)).mean() < 12  # 4:2:0 and H.264 lose some


def test_slerp_ends_at_its_ends() -> None:
    a, b = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    ends = generate_tracks.slerp(a, b, torch.tensor([0.0, 1.0]))
    assert torch.allclose(ends, torch.stack([a, b]), atol=1e-5)
    assert torch.allclose(generate_tracks.slerp(a, a, torch.tensor([0.3])), a[None], atol=1e-4)


@pytest.mark.parametrize(
    ("value", "expected"), [("5", [5]), (5, [5]), ("0-2,7", [0, 1, 2, 7]), ([1, "3-4"], [1, 3, 4]), (" 1, 2 ", [1, 2])]
)
def test_seeds(value: object, expected: list[int]) -> None:
    assert sampling.parse_seeds(value) == expected


def test_labels(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(2, 25)).astype(np.float32)
    np.save(tmp_path / "c.npy", rows)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [["a.png", rows[0].tolist()]]}))
    assert np.array_equal(sampling.labels(str(tmp_path / "c.npy"), 3, 25).numpy(), rows[[0, 1, 0]])
    assert np.array_equal(sampling.labels(str(tmp_path / "dataset.json"), 1, 25).numpy(), rows[:1])
    assert sampling.labels("3", 2, 5).tolist() == [[0, 0, 0, 1, 0]] * 2
    frontal = sampling.labels("average", 1, 25)[0]
    assert frontal[[3, 7, 11]].tolist() == pytest.approx([0, 0, 2.7], abs=1e-5)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["seeds=7-0"], "seeds: got '7-0'"),
        (["seeds=a"], "expected whole numbers such as 5, 0-7"),
        (["seeds=0-99999999"], "a million at most"),
        (["grid=4"], "grid: got 4, expected COLUMNSxROWS"),
        (["noise_mode=foo"], "noise_mode: got 'foo'"),
        (["labels=3"], "takes no labels"),
        (["truncation_cutoff=abc"], "truncation_cutoff: got 'abc'"),
        (["batch_size=0"], "batch_size: got 0"),
        (["device=tpu"], "device: got 'tpu'"),
        (["video=true", "seeds=1"], "expected two seeds or more"),
        (["video=true", "interpolation=q"], "interpolation: got 'q'"),
    ],
)
def test_mistakes(refused, export: Path, tmp_path: Path, words: list[str], expected: str) -> None:
    assert expected in refused("generate", f"checkpoint={export}", f"outdir={tmp_path / 'o'}", *words)
    assert not (tmp_path / "o").exists() or not any((tmp_path / "o").iterdir())


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("[1,2]", "shape (1, 2)"),
        ("nothing.npy", "labels: got nothing.npy"),
        ("30", "expected 0 to 24"),
        ("[a]", "25 numbers"),
    ],
)
def test_label_mistakes(refused, camera_export: Path, tmp_path: Path, labels: str, expected: str) -> None:
    assert expected in refused("generate", f"checkpoint={camera_export}", f"labels={labels}", f"outdir={tmp_path}")


def test_export_round_trip(facegen: Facegen, camera_export: Path, tmp_path: Path) -> None:
    status, out, _ = facegen("export", f"checkpoint={camera_export}", f"out={tmp_path / 'e'}")
    assert status == 0 and "16 pixels, 25 label numbers" in out
    again, first = package.load(tmp_path / "e").state_dict(), package.load(camera_export).state_dict()
    assert again.keys() == first.keys() and all(torch.equal(again[k], first[k]) for k in first)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("towards=7", "expected [SEED,SHARE]"),
        ("towards=[7,2]", "share 2"),
        ("mix=[1,2]", "expected [SEED,FIRST,LAST]"),
        ("mix=[1,0,99]", "layers 0 to 99"),
        ("mix=[-1,0,1]", "expected [SEED,FIRST,LAST]"),
    ],
)
def test_seeds_to_blend_with_are_checked(refused: Callable[..., str], export: Path, word: str, says: str) -> None:
    assert says in refused("generate", f"checkpoint={export}", "seeds=0", word)


def test_a_film_is_not_blended(refused: Callable[..., str], export: Path) -> None:
    assert "towards, mix" in refused("generate", f"checkpoint={export}", "video=true", "towards=[7,0.5]")
