"""EG3D: what cameras see of a known head, and pictures that depend on nothing but their seed and camera."""

import math
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from facegen.checkpoint import save_network
from facegen.cli import generate_cameras, generate_faces, sampling
from facegen.geometry import cameras
from tests.cli.analytic_head import Head, head, tiny_eg3d
from tests.cli.conftest import Facegen


@pytest.fixture(scope="session")
def eg3d_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported EG3D of 32 pixels with random weights."""
    return save_network(tiny_eg3d(), tmp_path_factory.mktemp("eg3d"))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Head:
    """The analytic head, instead of whatever checkpoint is named."""
    made = head()
    monkeypatch.setattr(sampling, "load_generator", lambda *_: made)
    return made


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def film(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_pictures_depend_on_their_seed_only(facegen: Facegen, eg3d_export: Path, tmp_path: Path) -> None:
    for folder, words in (("a", ["seeds=3,0-2", "batch_size=4"]), ("b", ["seeds=2", "batch_size=1"])):
        status, *_ = facegen(
            "generate", f"checkpoint={eg3d_export}", "depth=true", f"outdir={tmp_path / folder}", *words
        )
        assert status == 0
    for name in ("seed0002.png", "seed0002_depth.npy", "seed0002_depth.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert not np.array_equal(pixels(tmp_path / "a/seed0000.png"), pixels(tmp_path / "a/seed0001.png"))
    assert pixels(tmp_path / "a/grid.png").shape == (64, 128, 3)  # 2x2, depth beside each


def test_average_camera_is_told_and_looks(facegen: Facegen, eg3d_export: Path, tmp_path: Path) -> None:
    facegen("generate", f"checkpoint={eg3d_export}", "seeds=5", "truncation=0.5", f"outdir={tmp_path}")
    network, c = tiny_eg3d(), tiny_eg3d().average_camera()
    with torch.no_grad():
        ws = network.mapping(sampling.latents([5], 8), c, truncation_psi=0.5)
        image = network.synthesis(ws, c, noise_mode="const", rand=generate_faces.seeded(5)).image[0]
    expected = (image * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.abs(pixels(tmp_path / "seed0005.png") - expected).max() <= 1


def test_conditioning_is_apart_from_rendering(facegen: Facegen, eg3d_export: Path, tmp_path: Path) -> None:
    side = cameras.label(cameras.look_at(math.pi / 2 + 0.5, math.pi / 2), cameras.pinhole_intrinsics())
    np.save(tmp_path / "side.npy", side.numpy())
    pictures = {}
    for labels, told in (("side", "average"), ("side", "same"), ("side", "side"), ("average", "average")):
        words = [
            f"{k}={tmp_path / 'side.npy' if v == 'side' else v}"
            for k, v in (("labels", labels), ("conditioning", told))
        ]
        facegen("generate", f"checkpoint={eg3d_export}", "seeds=0", f"outdir={tmp_path / 'o'}", *words)
        pictures[labels, told] = pixels(tmp_path / "o/seed0000.png")
    assert np.array_equal(pictures["side", "same"], pictures["side", "side"])
    assert np.abs(pictures["side", "same"] - pictures["side", "average"]).max() > 2
    assert np.abs(pictures["average", "average"] - pictures["side", "average"]).max() > 2


def test_depth_is_in_world_units(known: Head, facegen: Facegen, tmp_path: Path) -> None:
    facegen("generate", "checkpoint=x", "seeds=0", "depth=true", "neural_resolution=33", f"outdir={tmp_path}")
    depth = np.load(tmp_path / "seed0000_depth.npy")
    assert depth.shape == (33, 33) and depth.dtype == np.float32
    assert 2.7 - 0.32 < depth[16, 16] < 2.7 - 0.32 + 0.08  # the tip of the nose, which is soft, seen from 2.7
    assert depth[0, 0] == pytest.approx(3.3, abs=0.05)
    light = pixels(tmp_path / "seed0000_depth.png").sum(axis=2)
    assert light.shape == (32, 32) and light[16, 16] > light[4, 16] > light[0, 0]


def test_poses_go_to_the_right_and_up(known: Head, facegen: Facegen, tmp_path: Path) -> None:
    words = [
        "seeds=0-1",
        "poses=grid",
        "yaw_columns=3",
        "pitch_columns=2",
        "yaw_degrees=[-45,45]",
        "pitch_degrees=[-20,20]",
    ]
    assert facegen("generate", "checkpoint=x", f"outdir={tmp_path}", *words)[0] == 0
    order = ["yaw-45", "yaw+0", "yaw+45", "pitch-20", "pitch+20"]
    assert names(tmp_path) == {"grid.png"} | {f"seed000{s}_{name}.png" for s in (0, 1) for name in order}
    cells = [pixels(tmp_path / f"seed0000_{name}.png") for name in order]
    assert np.array_equal(pixels(tmp_path / "grid.png")[:32], np.concatenate(cells, axis=1))
    left, front, right, below, above = (cell[cell.sum(axis=2) > 150].mean(axis=0) for cell in cells)
    assert left[0] < front[0] - 15 and front[0] + 15 < right[0]  # red is on the side of +x
    assert below[1] + 10 < above[1]  # green is above
    assert known.backbone_runs == 2


def test_angles_are_those_of_the_position() -> None:
    labels = generate_cameras.at_degrees(tiny_eg3d(), torch.tensor([30.0, -90.0]), torch.tensor([0.0, 40.0]))
    position = cameras.positions(labels)
    assert torch.allclose(position.norm(dim=1), torch.tensor(2.7))
    assert torch.rad2deg(torch.atan2(position[0, 0], position[0, 2])).item() == pytest.approx(30, abs=1e-3)
    assert torch.rad2deg(torch.asin(position[1, 1] / 2.7)).item() == pytest.approx(40, abs=1e-3)
    assert position[1, 0] < 0


def test_turntable_comes_round_to_its_start() -> None:
    for limits in ([-60, 60], [-180, 180]):
        made = generate_cameras.turntable(tiny_eg3d(), {"yaw_degrees": limits, "frames": 40})
        x, _, z = cameras.positions(made).T
        steps = torch.stack([x.diff(append=x[:1]), z.diff(append=z[:1])]).norm(dim=0)
        assert steps.max() < 0.6  # the last frame is followed by the first
        yaw = torch.rad2deg(torch.atan2(x, z))
        assert yaw.max() - yaw.min() > (110 if limits[1] == 60 else 340)


def test_path_is_the_published_one() -> None:
    made = generate_cameras.path(tiny_eg3d(), {"frames": 4})
    h, v = (cameras.yaw_pitch(made) - math.pi / 2).T
    assert torch.allclose(h, torch.tensor([0, 0.35, 0, -0.35]), atol=1e-4)
    assert torch.allclose(v, torch.tensor([0.2, -0.05, -0.3, -0.05]), atol=1e-4)


@pytest.mark.parametrize("kind", ["turntable", "path"])
def test_films_run_the_backbone_once_per_face(known: Head, facegen: Facegen, tmp_path: Path, kind: str) -> None:
    words = [f"video={kind}", "frames=6", "seeds=0-2", "depth=true", "grid=2x1"]
    assert facegen("generate", "checkpoint=x", f"outdir={tmp_path}", *words)[0] == 0
    frames = film(tmp_path / "video.mp4")
    assert names(tmp_path) == {"video.mp4"} and len(frames) == 6 and frames[0].shape == (32, 128, 3)
    assert known.backbone_runs == 2
    assert np.abs(frames[1].astype(int) - frames[4]).mean() > 5


def test_film_follows_the_conditioning(known: Head, facegen: Facegen, tmp_path: Path) -> None:
    facegen("generate", "checkpoint=x", f"outdir={tmp_path}", "video=path", "frames=3", "seeds=0", "conditioning=same")
    assert known.backbone_runs == 3


@pytest.mark.parametrize("interpolation", ["w", "z"])
def test_interpolation_starts_at_the_seed(
    facegen: Facegen, eg3d_export: Path, tmp_path: Path, interpolation: str
) -> None:
    words = ["video=true", "frames=3", "seeds=0-1", f"interpolation={interpolation}"]
    assert facegen("generate", f"checkpoint={eg3d_export}", f"outdir={tmp_path}", *words)[0] == 0
    facegen("generate", f"checkpoint={eg3d_export}", f"outdir={tmp_path}", "seeds=0")
    frames = film(tmp_path / "video.mp4")
    assert len(frames) == 6
    assert np.abs(frames[0].astype(float) - pixels(tmp_path / "seed0000.png")).mean() < 12


def test_random_noise_belongs_to_the_seed(facegen: Facegen, eg3d_export: Path, tmp_path: Path) -> None:
    for folder, mode in (("a", "random"), ("b", "random")):
        words = ["seeds=1", f"noise_mode={mode}", f"outdir={tmp_path / folder}"]
        facegen("generate", f"checkpoint={eg3d_export}", *words)
    assert (tmp_path / "a/seed0001.png").read_bytes() == (tmp_path / "b/seed0001.png").read_bytes()


def test_pictures_in_batches_need_cameras() -> None:
    network = tiny_eg3d()
    c = network.average_camera()
    ws = network.mapping(sampling.latents([0], 8), c)
    (picture,) = sampling.images(network, ws, "const", 4, c)
    assert picture.shape == (32, 32, 3)
    with pytest.raises(ValueError, match="cameras to look with"):
        next(sampling.images(network, ws, "const", 4))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["poses=circle"], "poses: got 'circle', expected grid"),
        (["video=spin"], "video: got 'spin', expected interpolation, turntable, path"),
        (["video=turntable", "frames=0"], "frames=0"),
        (["video=true", "seeds=1"], "two seeds or more"),
        (["poses=grid", "yaw_degrees=[60,-60]"], "yaw_degrees: got [60, -60], expected [FROM,TO] with -180"),
        (["poses=grid", "pitch_degrees=[0,90]"], "pitch_degrees"),
        (["poses=grid", "yaw_degrees=30"], "yaw_degrees: got 30"),
        (["poses=grid", "yaw_columns=0", "pitch_columns=0"], "at least one column"),
        (["poses=grid", "labels=x.npy"], "poses has cameras of its own"),
        (["depth=true", "depth_range=[3,2]"], "depth_range: got [3, 2]"),
        (["neural_resolution=0"], "neural_resolution: got 0"),
        (["noise_mode=foo"], "noise_mode: got 'foo'"),
        (["labels=3"], "labels: got 3, expected cameras"),
        (["labels=[1,2]"], "labels: got shape (1, 2)"),
        (["labels=zeros.npy"], "labels: row 0: "),
        (["conditioning=nothing.npy"], "conditioning: got nothing.npy"),
    ],
)
def test_mistakes(
    refused, eg3d_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("zeros.npy", np.zeros((1, 25), np.float32))
    assert expected in refused("generate", f"checkpoint={eg3d_export}", "outdir=o", *words)
    assert not Path("o").exists()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["mesh=true"], "mesh"),
        (["volume=true"], "volume"),
        (["depth=true"], "depth"),
        (["poses=grid"], "poses"),
        (["video=path"], "video=path"),
        (["conditioning=same"], "conditioning"),
    ],
)
def test_image_generators_have_no_depth(
    refused, camera_export: Path, tmp_path: Path, words: list[str], name: str
) -> None:
    line = refused("generate", f"checkpoint={camera_export}", f"outdir={tmp_path / 'o'}", *words)
    assert f"{name}: got a stylegan2 generator" in line and "EG3D" in line
    assert not (tmp_path / "o").exists()


def test_more_samples_on_a_ray(facegen: Facegen, eg3d_export: Path, tmp_path: Path, refused) -> None:
    words = [f"checkpoint={eg3d_export}", "seeds=5", "truncation=0.5"]
    facegen("generate", *words, "sampling_multiplier=3", f"outdir={tmp_path}")
    network, c = tiny_eg3d(), tiny_eg3d().average_camera()
    for name in ("depth_resolution", "depth_resolution_importance"):
        network.rendering_kwargs[name] *= 3
    with torch.no_grad():
        ws = network.mapping(sampling.latents([5], 8), c, truncation_psi=0.5)
        image = network.synthesis(ws, c, noise_mode="const", rand=generate_faces.seeded(5)).image[0]
    expected = (image * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.abs(pixels(tmp_path / "seed0005.png") - expected).max() <= 1
    assert "sampling_multiplier: got 0, expected 1 to 16" in refused("generate", *words, "sampling_multiplier=0")
