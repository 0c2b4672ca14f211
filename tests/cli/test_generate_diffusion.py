"""Pictures, sweeps of poses and films of tiny diffusion models, and what they refuse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

import facegen as package
from facegen.checkpoint import save_network
from facegen.cli import sampling
from facegen.cli.coefficient_files import coefficient_rows
from facegen.data.masks import COLORS
from facegen.networks.latents import latents
from tests.cli.conftest import Facegen
from tests.networks.tiny_diffusion import CAMERA, WORDS, tiny_latent_generator

NUMBERS = {"coefficients": {"kind": "numbers", "size": 3}}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No conditions."""
    return save_network(tiny_latent_generator(), tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cameras, three numbers and captions."""
    return save_network(tiny_latent_generator(CAMERA | NUMBERS | WORDS), tmp_path_factory.mktemp("told"))


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two controls."""
    return save_network(tiny_latent_generator(controls=("normals", "mask")), tmp_path_factory.mktemp("controlled"))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def expected(network: Any, seeds: list[int], *asked: Any, **more: Any) -> np.ndarray:
    with torch.no_grad():
        image = network(latents(seeds, network.z_dim), *asked, **more)
    return (image * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def near(one: np.ndarray, two: np.ndarray) -> bool:
    return bool(np.abs(one.astype(int) - two.astype(int)).max() <= 1)


def test_seeds_are_noise(facegen: Facegen, plain: Path, tmp_path: Path) -> None:
    words = ["seeds=3,0-1", "grid=3x1", "sampler=dpm++2m", "steps=3", "batch_size=2", f"outdir={tmp_path}"]
    status, out, _ = facegen("generate", f"checkpoint={plain}", *words)
    assert status == 0 and "3 pictures" in out
    made = expected(package.load(plain), [3, 0, 1], sampler="dpm++2m", steps=3)
    assert near(pixels(tmp_path / "grid.png"), np.concatenate(list(made), axis=1))
    assert near(pixels(tmp_path / "seed0001.png"), made[2])


def test_noise_of_the_steps_belongs_to_the_seed(facegen: Facegen, plain: Path, tmp_path: Path) -> None:
    for size in (1, 3):
        words = ["seeds=0-2", "eta=1", f"batch_size={size}", f"outdir={tmp_path / str(size)}"]
        assert facegen("generate", f"checkpoint={plain}", *words)[0] == 0
    assert near(pixels(tmp_path / "1/grid.png"), pixels(tmp_path / "3/grid.png"))


def test_conditions_are_told(facegen: Facegen, told: Path, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "prompts.txt").write_text("a man, smiling\n\na woman with blond hair\n")
    words = [f"coefficients={tmp_path / 'rows.npy'}", f"prompt={tmp_path / 'prompts.txt'}", "labels=none"]
    status, _, _ = facegen(
        "generate", f"checkpoint={told}", *words, "seeds=0-2", "guidance=2", "negative=glasses", f"outdir={tmp_path}"
    )
    conditions = {
        "coefficients": torch.from_numpy(rows[[0, 1, 0]]),
        "caption": ["a man, smiling", "a woman with blond hair", "a man, smiling"],
    }
    away = {"caption": ["glasses"] * 3}
    made = expected(package.load(told), [0, 1, 2], None, conditions, guidance=2.0, negative=away)
    assert status == 0 and all(near(pixels(tmp_path / f"seed000{i}.png"), made[i]) for i in range(3))


def test_sweep_of_a_told_camera(facegen: Facegen, told: Path, tmp_path: Path) -> None:
    words = ["poses=grid", "seeds=4,5", "yaw_columns=2", "pitch_columns=1", "yaw_degrees=[-40,40]"]
    status, out, _ = facegen("generate", f"checkpoint={told}", *words, f"outdir={tmp_path}")
    assert status == 0 and "columns yaw-40, yaw+40, pitch+0" in out
    cells = [pixels(tmp_path / f"seed0004_{name}.png") for name in ("yaw-40", "yaw+40", "pitch+0")]
    assert not near(cells[0], cells[1])
    assert np.array_equal(pixels(tmp_path / "grid.png")[:16], np.concatenate(cells, axis=1))
    assert facegen("generate", f"checkpoint={told}", "seeds=4", f"outdir={tmp_path / 'front'}")[0] == 0
    assert near(pixels(tmp_path / "front/seed0004.png"), cells[2])


def test_hints_from_files(facegen: Facegen, controlled: Path, tmp_path: Path) -> None:
    ids = np.zeros((20, 20), np.uint8)
    ids[5:] = 13
    (tmp_path / "masks").mkdir()
    Image.fromarray(ids).save(tmp_path / "masks/a.png")
    Image.fromarray(ids.T.copy()).save(tmp_path / "masks/b.png")
    words = [f"hints={{mask: {tmp_path / 'masks'}}}", "control_scales={mask: 0.5}", "seeds=0-2"]
    status, out, _ = facegen("generate", f"checkpoint={controlled}", *words, f"outdir={tmp_path}", "grid=3x1")
    assert status == 0 and "without control by normals" in out
    sheet = pixels(tmp_path / "grid.png")
    shown = sheet[:16].reshape(16, 3, 16, 3).transpose(1, 0, 2, 3)
    assert np.array_equal(shown[0][-1, -1], COLORS[13]) and np.array_equal(shown[0], shown[2])
    hints = {"mask": torch.from_numpy(shown / 255).float().permute(0, 3, 1, 2)}
    network = package.load(controlled)
    made = expected(network, [0, 1, 2], hints=hints, control_scales={"mask": 0.5})
    assert near(np.concatenate(list(made), axis=1), sheet[16:])
    assert not near(made[0], expected(network, [0])[0])


def test_sweep_of_renders(facegen: Facegen, controlled: Path, tmp_path: Path) -> None:
    words = ["poses=grid", "seeds=0-1", "yaw_columns=3", "pitch_columns=0"]
    assert facegen("generate", f"checkpoint={controlled}", *words, f"outdir={tmp_path}")[0] == 0
    sheet = pixels(tmp_path / "grid.png")
    assert sheet.shape == (64, 48, 3)
    left, right = sheet[:16, :16].astype(int), sheet[:16, 32:].astype(int)
    face, other = (part.sum(axis=2) > 0 for part in (left, right))
    assert face.any() and not np.array_equal(face, other)
    # normals: from the viewer's left the face looks to the right of the picture, from the right to the left
    assert left[face][:, 0].mean() > right[other][:, 0].mean()
    assert not np.array_equal(sheet[:16, :16], sheet[32:48, :16]), "every seed has a person of its own"


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["video=true", "frames=3", "seeds=0-1", "grid=2x1"], 6),
        (["video=turntable", "frames=4", "seeds=0-1"], 4),
        (["video=denoising", "frames=6", "fps=5", "seeds=0-1", "guidance=2"], 11),
    ],
)
def test_films(facegen: Facegen, told: Path, tmp_path: Path, words: list[str], count: int) -> None:
    assert facegen("generate", f"checkpoint={told}", *words, f"outdir={tmp_path}")[0] == 0
    with av.open(str(tmp_path / "video.mp4")) as container:
        film = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(film) == count and film[0].shape == (16, 32, 3)
    front = expected(package.load(told), [0, 1], torch.from_numpy(sampling.average_label(25)).expand(2, -1))
    difference = np.abs(film[0].mean(axis=2) - np.concatenate(list(front), axis=1).mean(axis=2)).mean()
    assert difference < 12 or "guidance=2" in words  # H.264 loses some, and most of the colours of noise


def test_last_belief_is_the_picture(plain: Path) -> None:
    """DDIM's last step goes to the first noise level, whose signal is nearly the clean one."""
    from facegen.cli.generate_denoising import Beliefs

    network: Any = package.load(plain)
    z = latents([0, 1], network.z_dim)
    with Beliefs(network, 2, 1.0) as beliefs:
        made = network.sample(z, steps=4)
    assert len(beliefs.found) == 4
    signal, noise = network.process.levels(torch.tensor(0), made)
    assert (beliefs.found[-1] * signal - made).abs().max() <= 1.1 * noise.max() * 5


def test_files_of_coefficients(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    from facegen.morphable.formats.reconstructions import write_reconstruction

    row = np.arange(257, dtype=np.float32)
    (tmp_path / "coeff").mkdir()
    write_reconstruction(tmp_path / "coeff/a.mat", row, np.zeros((68, 2)))
    save_file({"coefficients": row[None]}, tmp_path / "a.safetensors")
    for name in ("coeff/a.mat", "a.safetensors", "coeff", "."):
        assert np.array_equal(coefficient_rows(tmp_path / name).numpy(), row[None]), name
    np.save(tmp_path / "bad.npy", np.full((1, 3), np.nan))
    with pytest.raises(ValueError, match="rows of finite numbers"):
        coefficient_rows(tmp_path / "bad.npy")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["truncation=0.7"], "truncation: got 0.7"),
        (["depth=true"], "depth: got True"),
        (["steps=0"], "steps: got 0"),
        (["sampler=euler"], "sampler: got 'euler'"),
        (["sampler=flow_euler"], "for flows"),
        (["guidance=nan"], "guidance: got nan"),
        (["guidance=2"], "no conditions"),
        (["eta=2"], "eta: got 2"),
        (["prompt=face"], "prompt: got a text, but this model takes none"),
        (["coefficients=x.npy"], "takes none; it takes nothing but noise"),
        (["poses=grid"], "poses: this model is told no pose"),
        (["video=turntable"], "told no pose"),
        (["video=true", "seeds=0"], "two seeds or more"),
        (["hint=x.png"], "none: it was not trained as a ControlNet"),
        (["control_scales=2"], "this model has no controls"),
        (["labels=3"], "takes no labels"),
        (["class_label=3"], "has no classes"),
        (["interpolation=w"], "noise moves"),
        (["batch_size=0"], "batch_size: got 0"),
    ],
)
def test_mistakes(refused: Callable[..., str], plain: Path, tmp_path: Path, words: list[str], answer: str) -> None:
    assert answer in refused("generate", f"checkpoint={plain}", f"outdir={tmp_path / 'o'}", *words)
    assert not (tmp_path / "o").exists()


def test_mistakes_with_hints(refused: Callable[..., str], controlled: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (20, 16)).save(tmp_path / "oblong.png")
    Image.new("L", (16, 16), 99).save(tmp_path / "ids.png")
    call = ["generate", f"checkpoint={controlled}", f"outdir={tmp_path / 'o'}"]
    for words, answer in (
        ("hint=x.png", "say which with hints={NAME: PATH}"),
        ("hints={depth: x.png}", "hints: got depth, but the controls of this model are normals, mask"),
        ("hints={mask: nowhere}", "does not exist"),
        (f"hints={{mask: {tmp_path / 'empty'}}}", "holds no pictures"),
        (f"hints={{mask: {tmp_path / 'oblong.png'}}}", "oblong.png: 20x16 pixels, expected a square"),
        (f"hints={{mask: {tmp_path / 'ids.png'}}}", "ids.png: face parts: mask has the id 99"),
        ("control_scales={sketch: 1}", "control_scales: got sketch"),
        ("control_scales=-1", "control_scales: got -1"),
    ):
        assert answer in refused(*call, words), words
    assert not (tmp_path / "o").exists()


def test_mistakes_with_conditions(refused: Callable[..., str], told: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "four.npy", np.zeros((1, 4)))
    call = ["generate", f"checkpoint={told}", f"outdir={tmp_path / 'o'}"]
    for words, answer in (
        (f"coefficients={tmp_path / 'four.npy'}", "has 4 numbers per face, expected 3"),
        ("coefficients=nowhere.npy", "does not exist"),
        ("prompt=nowhere.txt", "nowhere.txt does not exist"),
        ("labels=3", "expected cameras"),
    ):
        assert answer in refused(*call, words), words
    assert "leave the setting out" in refused(*call, "poses=grid", "labels=[" + ",".join(["0"] * 25) + "]")


def test_other_generators_have_no_sampler(refused: Callable[..., str], export: Path, tmp_path: Path) -> None:
    call = ["generate", f"checkpoint={export}", f"outdir={tmp_path}"]
    assert "steps: got a stylegan2 generator" in refused(*call, "steps=5")
    assert "expected a diffusion model" in refused(*call, "prompt=face")
    assert "video=denoising: got a stylegan2" in refused(*call, "video=denoising")
