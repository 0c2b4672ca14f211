"""`facegen invert` with tiny generators: files, figures, labels, and answers to mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import facegen as package
from facegen.checkpoint import save_network
from facegen.geometry import cameras
from facegen.models import inversion
from facegen.networks.eg3d import TriPlaneGenerator
from tests.cli.conftest import Facegen

FAST = ["steps=3", "pivotal_steps=2", "average_samples=20", "perceptual=pyramid"]


@pytest.fixture(scope="module")
def solid_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported EG3D of 16 pixels."""
    torch.manual_seed(0)
    rendering = {
        "superresolution_module": "tiny",
        "superresolution_noise_mode": "none",
        "c_scale": 1.0,
        "depth_resolution": 4,
        "depth_resolution_importance": 4,
        "ray_start": 2.25,
        "ray_end": 3.3,
        "box_warp": 1.0,
    }
    network = TriPlaneGenerator(
        z_dim=8,
        w_dim=8,
        img_resolution=16,
        mapping_kwargs={"num_layers": 2},
        rendering_kwargs=rendering,
        plane_resolution=8,
        neural_rendering_resolution=8,
        channel_base=64,
        channel_max=8,
        num_fp16_res=0,
    )
    return save_network(network, tmp_path_factory.mktemp("solid"))


def picture(path: Path, width: int = 16, height: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.linspace(0, 255, height)[:, None, None] * np.ones((1, width, 3))
    Image.fromarray(rows.astype(np.uint8)).save(path)
    return path


def camera(yaw: float) -> list[float]:
    return cameras.label(cameras.look_at(np.pi / 2 - yaw, np.pi / 2), cameras.pinhole_intrinsics())[0].tolist()


def test_flat_generator(facegen: Facegen, export: Path, tmp_path: Path) -> None:
    """A folder, with pictures of another size and in folders of the same names."""
    picture(tmp_path / "in/a.png")
    picture(tmp_path / "in/more/a.jpg", 40, 40)
    words = [f"checkpoint={export}", f"images={tmp_path / 'in'}", f"outdir={tmp_path / 'out'}", "save_tuned=true"]
    status, out, _ = facegen("invert", *words, *FAST)
    assert status == 0 and "perceptual distance: pyramid" in out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "a", "a.npz", "a.png", "inversion.json", "more_a", "more_a.npz", "more_a.png",
    ]  # fmt: skip
    result = json.loads((tmp_path / "out/inversion.json").read_text())
    assert [entry["name"] for entry in result["images"]] == ["a", "more_a"]
    for entry in result["images"]:
        name = "pyramid of differences (not LPIPS)"
        assert entry["w"].keys() == entry["pivotal"].keys() == {"psnr", name}
        assert f"{entry['w']['psnr']:.2f}" in out and f"{entry['pivotal'][name]:.4f}" in out
    assert Image.open(tmp_path / "out/a.png").size == (48, 16)
    with np.load(tmp_path / "out/a.npz") as arrays:
        ws = torch.from_numpy(arrays["ws"])[None]
        assert json.loads(str(arrays["settings"]))["steps"] == 3 and arrays["camera"].shape == (0,)
    sheet = np.asarray(Image.open(tmp_path / "out/a.png"))
    for network, place in ((export, 1), (tmp_path / "out/a", 2)):
        image = inversion.synthesize(package.load(network), ws).image
        expected = (image * 127.5 + 128).clamp(0, 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(sheet[:, 16 * place : 16 * place + 16], expected)


def test_generator_with_geometry(facegen: Facegen, solid_export: Path, tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png")
    picture(tmp_path / "in/b.png")
    labels = [["b.png", camera(0.5)], ["a.png", camera(-0.2)]]
    (tmp_path / "in/dataset.json").write_text(json.dumps({"labels": labels}))
    words = [f"checkpoint={solid_export}", f"outdir={tmp_path / 'out'}", "yaws=[-20,0,20]", "optimize_noise=true"]
    assert facegen("invert", *words, f"images={tmp_path / 'in'}", *FAST)[0] == 0
    assert Image.open(tmp_path / "out/a_views.png").size == (48, 64)  # views and depth, before and after tuning
    for name, expected in (("a", camera(-0.2)), ("b", camera(0.5))):
        with np.load(tmp_path / f"out/{name}.npz") as arrays:
            assert np.allclose(arrays["camera"], expected, atol=1e-6)
            assert any(key.startswith("noise/backbone.synthesis") for key in arrays.files)
    (tmp_path / "in/dataset.json").rename(tmp_path / "other.json")  # names count, whatever the file is called
    again = [f"images={tmp_path / 'in'}", f"labels={tmp_path / 'other.json'}", *FAST]
    words[1] = f"outdir={tmp_path / 'again'}"
    assert facegen("invert", *words, *again)[0] == 0
    first, second = ((tmp_path / name / "inversion.json").read_text() for name in ("out", "again"))
    assert json.loads(first)["images"] == json.loads(second)["images"]
    one = [f"images={tmp_path / 'in/a.png'}", f"labels={camera(0.5)}".replace(" ", ""), "conditioning=own"]
    assert facegen("invert", *words, *one, "pivotal_steps=0", *FAST[:1], *FAST[2:])[0] == 0
    assert Image.open(tmp_path / "again/a.png").size == (32, 16)
    assert Image.open(tmp_path / "again/a_views.png").size == (48, 32)


def test_same_words_same_latents(facegen: Facegen, solid_export: Path, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    found = []
    for name in ("1", "2"):
        words = [f"checkpoint={solid_export}", f"images={tmp_path / 'a.png'}", "labels=average"]
        assert facegen("invert", *words, f"outdir={tmp_path / name}", *FAST)[0] == 0
        with np.load(tmp_path / name / "a.npz") as arrays:
            found.append(arrays["ws"])
    assert np.array_equal(*found)


def test_camera_is_needed(refused, solid_export: Path, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    words = ["invert", f"checkpoint={solid_export}", f"images={tmp_path / 'a.png'}", f"outdir={tmp_path / 'o'}"]
    assert "needs that of every picture; give labels=dataset.json" in refused(*words)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [["b.png", camera(0)]]}))
    assert "has no camera for a.png" in refused(*words)
    assert "the camera of a.png is not one" in refused(*words, f"labels=[{','.join(['2'] * 25)}]")
    assert "dataset.json does not exist" in refused(*words, f"labels={tmp_path / 'x/dataset.json'}")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["images=nothing.png"], "images: nothing.png does not exist"),
        (["space=z"], "space: got 'z', expected w or w+"),
        (["steps=0"], "steps: got 0, expected at least 1"),
        (["pivotal_steps=-1"], "pivotal_steps: got -1"),
        (["yaws=[a]"], "yaws: got ['a']"),
        (["labels=[1,2]"], "takes no labels"),
        (["perceptual=vvg"], "perceptual: got vvg, expected auto, alex, vgg, pyramid"),
        (["stepz=4"], "did you mean steps"),
    ],
)
def test_mistakes(refused, export: Path, tmp_path: Path, words: list[str], expected: str) -> None:
    picture(tmp_path / "a.png")
    given = [f"checkpoint={export}", f"images={tmp_path / 'a.png'}", f"outdir={tmp_path / 'o'}", *words]
    assert expected in refused("invert", *given)
    assert not (tmp_path / "o").exists()


def test_pictures_that_cannot_be_used(refused, export: Path, tmp_path: Path) -> None:
    picture(tmp_path / "wide.png", 20, 16)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "empty").mkdir()
    picture(tmp_path / "twice/a.png")
    picture(tmp_path / "twice/a.jpg")
    for name, expected in (
        ("wide.png", "is 20x16, expected a square"),
        ("broken.png", "broken.png"),
        ("empty", "holds no pictures"),
        ("twice", "would give the same results"),
    ):
        words = [f"checkpoint={export}", f"images={tmp_path / name}", f"outdir={tmp_path / 'o'}", *FAST]
        assert expected in refused("invert", *words)
