"""Who is found, in which order, with which numbers."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from facegen.curation.searching import Found, Query, Space, search_faces
from facegen.curation.searching import likeness as module
from facegen.data import Recipe, table
from facegen.data.index import build_index
from tests.curation.searching.small_sources import SIZE, directions, make_source
from tests.data.helpers import noise


def test_a_condition_and_an_order(recipe: Recipe) -> None:
    found = search_faces(recipe, Query(where="yaw_degrees between 20 and 60", rank="quality", count=3))
    assert found.ids == ["002", "003", "004"] and found.matching == 5
    np.testing.assert_allclose(found.scores, [0.7, 0.6, 0.5], atol=1e-6)
    assert found.why[0] == "quality 0.7, yaw_degrees 20"
    assert found.rows.tolist() == [2, 3, 4]


def test_smallest_first_and_who_has_no_value_is_left_out(recipe: Recipe) -> None:
    found = search_faces(recipe, Query(rank="-quality"))
    assert found.ids == ["007", "006", "005", "004", "003", "002", "001"]
    np.testing.assert_allclose(found.scores[:2], [-0.2, -0.3], atol=1e-6)


def test_nothing_in_particular(recipe: Recipe) -> None:
    found = search_faces(recipe, Query(count=2))
    assert found.ids == ["000", "001"] and np.isnan(found.scores).all() and found.why == ["", ""]


def test_a_condition_that_nobody_fulfils(recipe: Recipe) -> None:
    found = search_faces(recipe, Query(where="yaw_degrees > 1000", rank="quality"))
    assert found == Found([], found.rows, found.scores, [], 0) and not len(found.rows)


def test_faces_like_another(recipe: Recipe) -> None:
    found = search_faces(recipe, Query(face="003", count=2))
    assert sorted(found.ids) == ["002", "004"]
    np.testing.assert_allclose(found.scores, 0.4, atol=1e-5)
    assert search_faces(recipe, Query(face="003", where="yaw_degrees > 30", count=1)).ids == ["004"]
    everyone = search_faces(recipe, Query(face="003"))
    assert "003" not in everyone.ids and "007" not in everyone.ids  # itself, and one without an embedding
    assert len(everyone.ids) == 6 and everyone.matching == 8


def test_rank_beside_likeness_puts_the_most_similar_in_order(recipe: Recipe) -> None:
    found = search_faces(recipe, Query(face="003", rank="quality", count=2))
    assert found.ids == ["002", "004"]
    assert found.why == ["cosine 0.4, quality 0.7", "cosine 0.4, quality 0.5"]


def test_several_sources(both: Recipe) -> None:
    assert search_faces(both, Query(where="yaw_degrees < 30")).ids == ["one/002", "b/000", "b/001", "b/002"]
    found = search_faces(both, Query(face="one/002", count=3))
    assert found.ids[0] == "b/002" and set(found.ids[1:]) == {"one/003", "b/001"}
    np.testing.assert_allclose(found.scores, [1, 0.4, 0.4], atol=1e-5)
    assert [both.rows["id"][row].as_py() for row in found.rows] == found.ids
    near = search_faces(both, Query(face="b/001", count=3))  # one/001 would be nearest, but is no face of the recipe
    assert set(near.ids) == {"b/000", "b/002", "one/002"}
    ranked = search_faces(both, Query(rank="quality", count=4))
    assert ranked.ids == ["b/001", "one/002", "b/002", "one/003"]


def test_a_picture_is_embedded_as_the_column_was(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def embedder(model, weights):  # type: ignore[no-untyped-def]
        asked.append((model, weights))
        return lambda pictures: np.stack([directions(8, 1)[int(picture[0, 0, 0])] for picture in pictures])

    monkeypatch.setattr(module, "embedder", embedder)
    picture = np.full((4, 4, 3), 5, np.uint8)
    found = search_faces(recipe, Query(image=picture, count=1))
    assert found.ids == ["005"] and asked == [("efficientnet_lite0", None)]
    np.testing.assert_allclose(found.scores, [1], atol=1e-5)
    mean = search_faces(recipe, Query(image=picture, face="003", count=1))  # 004 is like both of them
    assert mean.ids == ["005"] and mean.scores[0] == pytest.approx(np.sqrt(0.5), abs=1e-5)


def test_columns_added_later_are_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = make_source(tmp_path_factory.mktemp("later") / "faces", 3, 2)
    recipe = Recipe(root, resolution=16)
    table.set_columns(table.table_path(root), pa.table({"id": ["000", "001", "002"], "age": [5, 90, 40]}))
    assert search_faces(recipe, Query(where="age > 10", rank="-age")).ids == ["002", "001"]
    Image.fromarray(noise(16, 9)).save(root / "0000.png")
    build_index(root)
    with pytest.raises(ValueError, match="other faces than when it was opened"):
        search_faces(recipe, Query(rank="age"))


@pytest.mark.parametrize(
    "query, message",
    [
        (Query(where="yaw_degress > 3"), "did you mean yaw_degrees?"),
        (Query(rank="qualty"), "has no column 'qualty'; did you mean quality?"),
        (Query(rank="uri"), "holds string; expected a column of numbers"),
        (Query(rank="embedding"), "expected a column of numbers"),
        (Query(face="900"), "which is none of 8; their ids look like '000'"),
        (Query(face="007"), "face: 007 has no embedding"),
        (Query(text="an old man"), "made by efficientnet_lite0, which knows no words"),
        (Query(count=0), "count: got 0"),
        (Query(where=" "), "where: got ' '"),
        (Query(text="a" * 1001), "got 1001 characters"),
    ],
)
def test_what_cannot_be_asked(recipe: Recipe, query: Query, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        search_faces(recipe, query)
    assert message in str(caught.value)


def test_columns_that_are_no_embeddings(recipe: Recipe) -> None:
    with pytest.raises(ValueError, match="have no embeding; did you mean embedding"):
        search_faces(recipe, Query(face="001"), Space("embeding"))
    with pytest.raises(ValueError, match=r"column: quality .* holds float, expected vectors"):
        search_faces(recipe, Query(face="001"), Space("quality"))


def test_sources_of_two_models(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = make_source(tmp_path_factory.mktemp("model") / "faces", 3, 3, "clip")
    both = Recipe([recipe.specs[0].root, other], resolution=16)
    with pytest.raises(ValueError, match=rf"of efficientnet_lite0 \({SIZE} numbers\) .* of clip"):
        search_faces(both, Query(face="one/001"))


def test_a_source_without_a_table(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("bare")
    Image.fromarray(noise(16, 1)).save(root / "a.png")
    with pytest.raises(ValueError, match="facegen data index root="):
        search_faces(Recipe(root, resolution=16), Query(count=1))
