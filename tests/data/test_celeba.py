from pathlib import Path

import pytest

from facegen.data.celeba import ATTRIBUTES, partition, read_attributes, read_mapping

HEADER = " ".join(ATTRIBUTES)
ROW = " ".join(["-1", "1"] * 20)


def test_attributes_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"2\n{HEADER}\n0.jpg  {ROW}\n17.jpg {ROW.replace('-1 1', '1 -1')}\n")
    found = read_attributes(tmp_path / "a.txt")
    assert found.ids == ["0", "17"] and found.values.shape == (2, 40)
    assert found.named(0)["Arched_Eyebrows"] == 1 and found.named(1)["Arched_Eyebrows"] == -1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "expected the number of images in line 1", id="empty"),
        pytest.param(f"two\n{HEADER}\n", "expected the number of images in line 1", id="no-count"),
        pytest.param(f"0\n{HEADER.replace('Bald', 'Hair')}\n", "40 attributes in line 2", id="other-names"),
        pytest.param(f"2\n{HEADER}\n0.jpg {ROW}\n", "1 images, line 1 says 2", id="short"),
        pytest.param(f"1\n{HEADER}\n0.jpg {ROW[:-2]}\n", "line 3: expected a name and 40 values", id="39"),
        pytest.param(f"1\n{HEADER}\n0.jpg {ROW.replace('-1', '0')}\n", "line 3: .* of -1 or 1", id="zeros"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.txt.*{message}"):
        read_attributes(tmp_path / "a.txt")


def test_mapping_and_partition(tmp_path: Path) -> None:
    path = tmp_path / "mapping.txt"
    path.write_text("idx orig_idx orig_file\n0       119613  119614.jpg\n7 182638 182639.jpg\n\n")
    assert read_mapping(path) == {0: 119613, 7: 182638}
    assert [partition(index) for index in read_mapping(path).values()] == ["train", "test"]
    path.write_text("idx orig_idx orig_file\n0 1 2.jpg\n0 2 3.jpg\n")
    with pytest.raises(ValueError, match=r"mapping\.txt, line 3: expected a new face, CelebA"):
        read_mapping(path)
