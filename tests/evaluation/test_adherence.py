"""Adherence of toy generators: one that paints what it is told, one that does not listen, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from facegen.checkpoint import save_network
from facegen.evaluation.adherence import CHANCE, FaceDraws, measure
from facegen.evaluation.adherence_sides import Judges, judged, load_parser
from facegen.evaluation.plan import Denoising
from tests.evaluation.toy_faces import COUNT, JUDGES, Colours, Painter, toy_dataset, toy_folder
from tests.models.tiny import tiny_model
from tests.programs import in_processes

ITEMS = list(range(COUNT))
PERFECT = {
    "pose_degrees": 0,
    "landmarks_interocular": 0,
    "render_difference": 0,
    "identity_error": 0,
    "light_error": 0,
    "identity_correlation": 1,
    "expression_correlation": 1,
    "albedo_correlation": 1,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy") / "faces")


def figures(root: Path, kind: str, **more: Any) -> dict[str, float]:
    return measure(Painter(kind), toy_dataset(root), ITEMS, JUDGES, **more).figures


def test_a_generator_that_shows_its_face_is_perfect_and_chance_is_not(root: Path) -> None:
    found = figures(root, "face")
    for name, value in PERFECT.items():
        assert found[name] == pytest.approx(value, abs=2e-3), name  # rotations pass through float32
    assert found[f"{CHANCE}pose_degrees"] > 5 and found[f"{CHANCE}landmarks_interocular"] > 0.02
    assert found[f"{CHANCE}render_difference"] > 0.01 and found[f"{CHANCE}identity_error"] > 0.5
    assert abs(found[f"{CHANCE}identity_correlation"]) < 0.5


def test_a_generator_that_paints_its_mask_is_perfect(root: Path) -> None:
    found = figures(root, "mask")
    assert found["mask_iou"] == 1 and found["mask_iou/skin"] == 1 and "mask_iou/hat" not in found
    assert "mask_iou/eye" not in found, "no face has eyes"
    assert found[f"{CHANCE}mask_iou"] < 0.4


def test_a_generator_that_does_not_listen_is_at_chance(root: Path) -> None:
    deaf, chance = Painter("deaf"), []
    found = measure(deaf, toy_dataset(root), ITEMS, JUDGES).figures
    for name in ("pose_degrees", "identity_error", "landmarks_interocular"):
        chance.append(found[name] / found[CHANCE + name])
    assert all(0.4 < ratio < 2.5 for ratio in chance) and found["pose_degrees"] > 5
    assert abs(found["identity_correlation"]) < 0.6


def test_own_pictures_are_the_ceiling(root: Path) -> None:
    found = measure(None, toy_dataset(root), ITEMS, JUDGES).figures
    assert found["sketch_f1"] == found["sketch_precision"] == found["sketch_recall"] == 1
    assert found[f"{CHANCE}sketch_f1"] < 0.97 and found["pose_degrees"] < 2e-3


def test_batches_make_no_difference(root: Path) -> None:
    one, other = (figures(root, "deaf", batch_size=size) for size in (3, COUNT))
    assert one.keys() == other.keys()
    assert all(one[name] == pytest.approx(other[name], rel=1e-6, abs=1e-9) for name in one)
    painters = [Painter("face"), Painter("face")]
    for painter, size in zip(painters, (3, COUNT), strict=True):
        measure(painter, toy_dataset(root), ITEMS, JUDGES, batch_size=size)
    for one_side, other_side in zip(*(zip(*painter.told, strict=True) for painter in painters), strict=True):
        assert torch.equal(torch.cat(one_side), torch.cat(other_side)), "latents and noise belong to faces"


def _worker(rank: int, world: int, root: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{root}/../rendezvous", rank=rank, world_size=world)
    torch.save(figures(Path(root), "deaf", rank=rank, world=world), Path(root).parent / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_agree_with_one(root: Path) -> None:
    in_processes(_worker, 2, str(root))
    expected = figures(root, "deaf")
    for rank in range(2):
        found = torch.load(root.parent / f"{rank}.pt", weights_only=True)
        assert found.keys() == expected.keys()
        assert all(found[name] == pytest.approx(value, rel=1e-9, abs=1e-9) for name, value in expected.items())


def test_what_can_be_judged_follows_from_columns_and_judges(root: Path) -> None:
    assert judged(toy_dataset(root), JUDGES) == ("mask", "pose", "landmarks", "coefficients", "render", "sketch")
    assert judged(toy_dataset(root, ["parts"]), JUDGES) == ("mask", "pose")
    assert judged(toy_dataset(root), Judges()) == ("sketch",)
    found = measure(Painter("mask"), toy_dataset(root, ["parts"]), ITEMS, Judges(JUDGES.parser)).figures
    assert {name.removeprefix(CHANCE).partition("/")[0] for name in found} == {"mask_iou"}


def test_mistakes_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got 1 faces, expected at least 2"):
        measure(None, toy_dataset(root), [0], JUDGES)
    with pytest.raises(ValueError, match="nothing of these faces can be judged"):
        measure(None, toy_dataset(root, []), ITEMS, Judges(JUDGES.parser))
    with pytest.raises(ValueError, match=r"expected those of the faces' parts in their order \(background, skin, hair"):
        measure(None, toy_dataset(root), ITEMS, Judges(Colours("mask")))
    with pytest.raises(ValueError, match="holds a Generator, expected a network of model=parser"):
        load_parser(save_network(tiny_model().generator, tmp_path))


def test_conditions_can_be_dropped_but_for_the_label(root: Path) -> None:
    for conditions, hints in (("real", {"parts"}), ("dropped", set())):
        deaf = Painter("deaf")
        measure(deaf, toy_dataset(root), ITEMS, JUDGES, Denoising(conditions=conditions))
        assert set(deaf.shown) == hints
    found = figures(root, "face", denoising=Denoising(conditions="dropped"))
    assert found["pose_degrees"] < 0.01, "the camera is a label"


def test_draws_belong_to_faces() -> None:
    both, one = FaceDraws(0, [3, 5], torch.device("cpu")), FaceDraws(0, [5], torch.device("cpu"))
    assert torch.equal(both.randn([2, 4])[1:], one.randn([1, 4]))
    assert both.indices(1000, 2)[1] == one.indices(1000, 1)[0]
