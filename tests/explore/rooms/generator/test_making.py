"""What the page shows is what the command makes that it tells."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegen import cli
from facegen.checkpoint import save_network
from facegen.data.pictures import save_png
from facegen.evaluation.blending import Blend
from facegen.explore.rooms.generator.keeping import command_of
from facegen.explore.rooms.generator.loaded import loaded
from facegen.explore.rooms.generator.making import Maker
from facegen.explore.rooms.generator.seen import Made, camera
from facegen.explore.rooms.generator.wishes import Angle, Denoise, Wish
from facegen.geometry import cameras
from tests.cli.analytic_head import tiny_eg3d
from tests.cli.conftest import tiny_generator
from tests.networks.tiny_diffusion import CAMERA, WORDS, tiny_latent_generator

BLENDED = Blend((7, 0.25), (9, 1, 2))
NETWORKS: dict[str, Callable[[], torch.nn.Module]] = {
    "image": tiny_generator,
    "classes": lambda: tiny_generator(c_dim=3),
    "3d": tiny_eg3d,
    "told": lambda: tiny_latent_generator(CAMERA | WORDS),
    "plain": tiny_latent_generator,
    "controlled": lambda: tiny_latent_generator(controls=("normals", "mask")),
}
HINT = np.full((16, 16, 3), 90, dtype=np.uint8)
TEXT = 'it\'s a "woman", smiling {a: b}'


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of tiny generators."""
    folder = tmp_path_factory.mktemp("exports")

    def export(name: str) -> Path:
        return folder / name if (folder / name).exists() else save_network(NETWORKS[name](), folder / name)

    return export


def by_command(maker: Maker, wish: Wish, made: Made, folder: Path) -> np.ndarray:
    """The picture that the command of the page makes, run in a folder with the hints."""
    files = {name: str(save_png(hint, folder / f"{name}.png")) for name, hint in made.hints.items()}
    words = shlex.split(command_of(maker.source, wish, made, files))[1:]
    assert cli.main([*words, f"outdir={folder / 'out'}"]) == 0
    return np.asarray(Image.open(folder / f"out/seed{wish.seed:04d}.png"))


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("image", Wish(5, truncation=0.7, blend=BLENDED)),
        ("classes", Wish(5, label=2)),
        ("3d", Wish(3, truncation=0.6, blend=BLENDED, angle=Angle(25.5, -7.25, 1.3))),
        ("told", Wish(3, angle=Angle(-20, 5), denoise=Denoise(steps=3, guidance=2.0, prompt=TEXT, negative="hat"))),
        ("told", Wish(4, denoise=Denoise(told_camera=False))),
        ("plain", Wish(2, blend=Blend((7, 0.5)), denoise=Denoise(sampler="dpm++2m"))),
        ("controlled", Wish(6, hints={"mask": HINT}, denoise=Denoise(strength=0.5))),
    ],
)
def test_the_command_makes_the_same(exports: Callable[[str], Path], tmp_path: Path, name: str, wish: Wish) -> None:
    maker = Maker(loaded(exports(name)))
    made = maker.make(wish)
    assert np.abs(by_command(maker, wish, made, tmp_path).astype(int) - made.picture).max() <= 1
    other = maker.make(Wish(wish.seed + 1))
    assert not np.array_equal(other.picture, made.picture)


def test_turning_keeps_the_face(exports: Callable[[str], Path]) -> None:
    maker = Maker(loaded(exports("3d")))
    front, side = (maker.make(Wish(angle=Angle(yaw))) for yaw in (0, 40))
    again = maker.make(Wish())
    assert np.array_equal(front.picture, again.picture) and not np.array_equal(front.picture, side.picture)
    assert maker.make(Wish(draft=True)).picture.shape == front.picture.shape


def test_angles_are_degrees_and_zoom_is_the_lens(exports: Callable[[str], Path]) -> None:
    network = loaded(exports("3d")).network
    label, plain = (camera(network, angle) for angle in (Angle(30, 10, 2), Angle()))
    assert label[0, 16] == pytest.approx(2 * plain[0, 16].item()) and label[0, 18] == plain[0, 18]
    assert torch.allclose(plain, network.average_camera(), atol=1e-6)
    x, y, z = (cameras.positions(label)[0] / 2.7).tolist()
    assert x > 0 and y == pytest.approx(np.sin(np.deg2rad(10)), abs=0.05)
    assert np.rad2deg(np.arctan2(x, z)) == pytest.approx(30, abs=3)  # around the origin, not the pivot


def test_steps_are_told_and_work_can_be_given_up(exports: Callable[[str], Path]) -> None:
    maker, told = Maker(loaded(exports("plain"))), []

    def report(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        maker.make(Wish(denoise=Denoise(steps=4)), report)
    assert told == [(1, 4), (2, 4)]
    assert maker.make(Wish()).picture.shape == (16, 16, 3)  # the lock is free again


def test_a_mesh_or_the_reason_why_there_is_none(exports: Callable[[str], Path]) -> None:
    maker = Maker(loaded(exports("3d")))
    with pytest.raises(ValueError, match=r"volume is empty|volume is solid"):
        maker.mesh(Wish(), 8, 1e4)
    content = maker.mesh(Wish(), 16, _middle(maker))
    size = int.from_bytes(content[12:16], "little")
    assert content[:4] == b"glTF" and json.loads(content[20 : 20 + size])["meshes"]


def _middle(maker: Maker) -> float:
    """A density that the field of random weights has inside and has not outside."""
    from facegen.evaluation.views import volume
    from facegen.rendering.isosurface import density

    sigma = volume(maker.source.network, maker._face(Wish()), 16).sigma
    return density(float(np.median(sigma)))


def test_the_person_of_the_seed_is_drawn(exports: Callable[[str], Path]) -> None:
    maker = Maker(loaded(exports("controlled")))
    without = maker.make(Wish(1))
    drawn = maker.make(Wish(1, denoise=Denoise(person=True)))
    turned = maker.make(Wish(1, denoise=Denoise(person=True), angle=Angle(40)))
    assert not without.hints and set(drawn.hints) == {"normals"}  # a mask cannot be drawn from coefficients
    assert drawn.hints["normals"].any() and not np.array_equal(drawn.hints["normals"], turned.hints["normals"])
    assert not np.array_equal(drawn.picture, without.picture)


def test_wishes_that_cannot_be_fulfilled(exports: Callable[[str], Path]) -> None:
    with pytest.raises(ValueError, match="layers 0 to 99"):
        Maker(loaded(exports("image"))).make(Wish(blend=Blend(mix=(1, 0, 99))))
    with pytest.raises(ValueError, match="class: got 3"):
        Maker(loaded(exports("classes"))).make(Wish(label=3))
    with pytest.raises(ValueError, match="steps"):
        Maker(loaded(exports("plain"))).make(Wish(denoise=Denoise(steps=5000)))


def test_a_generator_is_loaded_once_and_again_when_it_changed(exports: Callable[[str], Path], tmp_path: Path) -> None:
    path = save_network(tiny_generator(), tmp_path / "own")
    first = loaded(path)
    assert loaded(path) is first
    assert (first.kind, first.layers, first.classes) == ("image", first.network.num_ws, 0)
    os.utime(path, ns=(1, 1))
    assert loaded(path) is not first
    with pytest.raises(ValueError, match="no longer there"):
        loaded(tmp_path / "nothing.pkl")
