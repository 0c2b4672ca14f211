"""Masks and hairlines as columns of a source: files, repeats, other parsers, and training on them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import nn

from facegen.checkpoint import load, package_file, save_network
from facegen.curation.columns import add_columns
from facegen.curation.parsing.orders import to_celebamask
from facegen.curation.parsing.parsers import FILE, INSTALL, PACKAGE, named_parser
from facegen.curation.parsing.pictures import face_window, parse_pictures
from facegen.curation.parsing.stage import hairline_group, parsing_group
from facegen.data import table
from facegen.data.conditions import Conditions
from facegen.data.index import build_index
from facegen.data.masks import CELEBAMASK
from facegen.data.synthetic.faces import Settings, make_face
from facegen.morphable.procedural import PARTS as TRUE_PARTS
from facegen.morphable.procedural import ProceduralHead
from facegen.networks.parsing import ParsingNetwork
from facegen.networks.reconstruction import ReconstructionNetwork
from tests.curation.parsing import colors


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two drawn faces, and a picture that is none."""
    for name, turn in (("a", 0), ("more/b", 6)):
        path = tmp_path / "faces" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colors.drawn(colors.face(turn))).save(path)
    (tmp_path / "faces" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return tmp_path / "faces"


def rows(source: Path) -> dict[str, dict]:
    return {row["id"]: row for row in table.read(table.table_path(source)).to_pylist()}


def test_masks_are_files_beside_the_pictures(source: Path) -> None:
    added = add_columns(source, [parsing_group(colors.model())], workers=0)
    assert added.made == {"parsing": 2} and [face for face, _ in added.problems["parsing"]] == ["broken"]
    found = rows(source)
    assert found["broken"]["parsing"] is None
    for name, turn in (("a", 0), ("more/b", 6)):
        with Image.open(source / found[name]["parsing"]) as picture:
            said = picture.text  # type: ignore[attr-defined]
            assert picture.mode == "L" and said == {"parts": ",".join(CELEBAMASK), "parser": "colours"}
            assert (np.asarray(picture) == to_celebamask(colors.face(turn), colors.PARTS)).all()
    assert not [path for path in source.rglob("*.png") if ".described" not in path.parts and path.stem == "parsing"]


def test_nothing_is_computed_twice_and_lost_files_are_made_again(source: Path) -> None:
    group = parsing_group(colors.model())
    assert add_columns(source, [group], workers=0).computed == {"parsing": 3}
    assert add_columns(source, [group], workers=0).computed == {"parsing": 0}
    lost = source / rows(source)["a"]["parsing"]
    lost.unlink()
    assert add_columns(source, [group], workers=0).computed == {"parsing": 1} and lost.exists()


def test_another_parser_and_back_again_never_mix_masks(source: Path) -> None:
    first, second = parsing_group(colors.model()), parsing_group(colors.model("coarse", 16))
    add_columns(source, [first], workers=0)
    fine = rows(source)["a"]["parsing"]
    add_columns(source, [second], workers=0)
    coarse = rows(source)["a"]["parsing"]
    masks = [np.asarray(Image.open(source / path)) for path in (fine, coarse)]
    assert fine != coarse and (masks[0] != masks[1]).any()
    assert add_columns(source, [first], workers=0).computed == {"parsing": 0}
    assert rows(source)["a"]["parsing"] == fine


def test_masks_can_be_trained_on(source: Path) -> None:
    add_columns(source, [parsing_group(colors.model())], workers=0)
    read = table.read(table.table_path(source))
    kept = read.filter(pa.compute.is_valid(read["parsing"])).to_pylist()  # type: ignore[attr-defined]
    given = pa.table({"id": [row["id"] for row in kept], "parsing": [str(source / row["parsing"]) for row in kept]})
    batch = Conditions(given, ["parsing"], 32, True).batch(np.array([0, 0]), np.array([False, True]))["parsing"]
    assert batch.shape == (2, 1, 32, 32)
    eyes = [torch.argwhere(batch[row, 0] == CELEBAMASK.index("l_eye"))[:, 1].float().mean() for row in (0, 1)]
    assert min(eyes) > 16  # the flipped face's left eye is again at the right


def test_hairlines_follow_masks_and_landmarks(source: Path) -> None:
    add_columns(source, [parsing_group(colors.model())], workers=0)
    with pytest.raises(ValueError, match=r"hairlines: the faces of .* have no landmarks68; add it first"):
        add_columns(source, [hairline_group()], workers=0)
    points = pa.array([colors.landmarks().ravel().astype(np.float32).tolist(), None, None], pa.list_(pa.float32(), 136))
    given = pa.table({"id": ["a", "broken", "more/b"], "landmarks68": points})
    table.set_columns(table.table_path(source), given)
    added = add_columns(source, [hairline_group()], workers=0)
    assert added.made == {"hairlines": 1}
    assert dict(added.problems["hairlines"])["more/b"].endswith("it has no landmarks68")
    face = rows(source)["a"]
    extended = np.reshape(face["landmarks_extended"], (110, 2))
    np.testing.assert_allclose(extended[:68], colors.landmarks())
    np.testing.assert_array_equal(extended[68:89], np.reshape(face["hairline_inner"], (21, 2)))
    np.testing.assert_array_equal(extended[89:], np.reshape(face["hairline_outer"], (21, 2)))
    assert np.isfinite(extended).all(axis=1).sum() > 100
    assert rows(source)["more/b"]["landmarks_extended"] is None


def test_masks_that_a_source_has_do_for_hairlines(source: Path) -> None:
    """Those of synthetic faces, whose ids mean other parts."""
    index = build_index(source)
    names = ("background", "skin", "hair", "eye", "ear", "lips", "mouth", "brow", "cloth")
    ids = np.array([names.index("skin" if name == "nose" else name) for name in colors.PARTS[:-1]] + [0], np.uint8)
    folder = source / ".masks"
    folder.mkdir()
    Image.fromarray(ids[colors.face()]).save(folder / "a.png")
    points = pa.array([colors.landmarks().ravel().astype(np.float32).tolist(), None, None], pa.list_(pa.float32(), 136))
    columns = {"id": ["a", "broken", "more/b"], "landmarks": points, "parts": [".masks/a.png", None, None]}
    table.set_columns(index.path, pa.table(columns))
    assert add_columns(source, [hairline_group("parts")], workers=0).made == {"hairlines": 1}


@pytest.mark.parametrize("shape", [(64, 64), (48, 64), (64, 40), (200, 160), (1500, 1200)])
def test_pictures_of_any_shape_have_masks_of_theirs(shape: tuple[int, int]) -> None:
    scale = shape[0] / 64
    rows_, columns = (np.minimum((np.arange(size) / scale).astype(int), 63) for size in shape)
    ids = colors.face()[rows_][:, columns]
    (mask,) = parse_pictures(colors.load(64), [colors.drawn(ids)])
    assert mask.shape == shape
    assert (mask == to_celebamask(ids, colors.PARTS)).mean() > 0.9


def test_pictures_do_not_see_each_other() -> None:
    pictures = [colors.drawn(colors.face(turn))[: 64 - turn] for turn in range(6)]
    network = colors.load(64)
    together = parse_pictures(network, pictures)
    assert all((parse_pictures(network, [one])[0] == mask).all() for one, mask in zip(pictures, together, strict=True))


class Second(nn.Module):
    """Sees a face in a corner of the first picture, and only a hat in the second, which it keeps."""

    def __init__(self, mask: np.ndarray) -> None:
        super().__init__()
        self.parts, self.size, self.mask, self.seen = CELEBAMASK, len(mask), mask, []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        ids = torch.from_numpy(self.mask).long() if len(self.seen) == 1 else torch.full(self.mask.shape, 14)
        return nn.functional.one_hot(ids, 19).permute(2, 0, 1)[None].float()


def test_small_faces_are_looked_at_twice() -> None:
    """The second look is at FFHQ's crop of the face, and counts there."""
    mask = np.zeros((128, 128), np.uint8)
    mask[60:124, 20:84] = to_celebamask(colors.face(), colors.PARTS)
    y, x = np.mgrid[:128, :128].astype(np.uint8)
    network, pixels = Second(mask), np.stack([x, y, x], axis=2)
    (found,) = parse_pictures(network, [pixels])
    hat, (rows_, columns) = found == CELEBAMASK.index("hat"), face_window(mask)  # type: ignore[misc]
    assert hat[rows_, columns].all() and (found == mask)[~hat].all() and hat.sum() == 68 * 67
    assert abs((rows_.start + rows_.stop) / 2 - 94) < 4 and abs((columns.start + columns.stop) / 2 - 52) < 4
    corner = (network.seen[1][0, :2, [0, -1], [0, -1]].T + 1) * 127.5
    expected = [[columns.start, rows_.start], [columns.stop - 1, rows_.stop - 1]]
    np.testing.assert_allclose(corner, expected, atol=1)
    assert face_window(mask[60:124, 20:84]) is None


def test_of_two_faces_the_larger_is_looked_at() -> None:
    ids = np.zeros((256, 256), np.uint8)
    ids[10:74, 10:74], ids[150:214:2, 150:214:2] = colors.face(), colors.face()[::2, ::2]
    rows_, columns = face_window(to_celebamask(ids, colors.PARTS))  # type: ignore[misc]
    assert rows_.start < 20 and columns.start < 20
    assert face_window(np.zeros((64, 64), np.uint8)) is None


def test_bad_parsers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a run or an export of model=parser"):
        named_parser(tmp_path)
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    other = save_network(ReconstructionNetwork("resnet18", (1, 1, 1)), tmp_path / "reconstruction")
    reasons = {"bad.pth": "no file of weights", "other.pth": "bisenet: got nothing, expected", "list.pth": "no tensors"}
    for name, reason in {**reasons, other.name: "holds a ReconstructionNetwork, expected"}.items():
        model = named_parser(tmp_path / name)
        with pytest.raises(ValueError, match=f"parser: .*{name}.*{reason}"):
            model.load(*model.arguments)
    with pytest.raises(ValueError, match="expected a run or an export of model=parser"):
        named_parser(tmp_path / "other.txt")


def test_a_bad_parser_leaves_the_column_as_it_is(source: Path, tmp_path: Path) -> None:
    add_columns(source, [parsing_group(colors.model())], workers=0)
    before = rows(source)
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"bad.pth is no file of weights"):
        add_columns(source, [parsing_group(named_parser(tmp_path / "bad.pth"))], workers=0)
    assert rows(source) == before


def test_exports_are_known_by_their_weights(tmp_path: Path) -> None:
    one, other = (
        save_network(ParsingNetwork(colors.PARTS, 16, [8, 8]), tmp_path / name) for name in ("x/own", "y/own")
    )
    models = [named_parser(path) for path in (one, one / "model.safetensors", other)]
    assert models[0].name == models[1].name != models[2].name
    assert isinstance(models[1].load(*models[1].arguments), ParsingNetwork)
    save_network(load(other), one)
    assert named_parser(one).name == models[2].name


@pytest.mark.skipif(package_file(PACKAGE, FILE) is None, reason=f"needs the weights of a package: {INSTALL}")
def test_the_package_s_weights_see_a_face(procedural: ProceduralHead) -> None:
    seen = make_face(procedural, Settings(3, 128, "ffhq", 0.3), 1).picture
    model = named_parser()
    assert "468e13ca13a9" in model.name and "non-commercial" in model.terms
    (mask,) = parse_pictures(model.load(*model.arguments), [seen.image])
    truth, found = seen.parts == TRUE_PARTS.index("hair"), mask == CELEBAMASK.index("hair")
    assert (found & truth).sum() / (found | truth).sum() > 0.6
