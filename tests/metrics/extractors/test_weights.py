"""Files of weights: where they are found, what is refused, and a download (from a file: address)."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from facegen.metrics.extractors.weights import (
    Weights,
    WeightsFile,
    fill,
    find_weights,
    is_torchscript,
    load_torchscript,
    read_weights,
    weights_folder,
)

CONTENT = b"numbers"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


def published(folder: Path, content: bytes = CONTENT, name: str = "net.pth") -> WeightsFile:
    """A file that can be downloaded from `folder` and whose sha256 is that of CONTENT."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / name).write_bytes(content)
    return WeightsFile(name, SHA256, (folder / "site" / name).as_uri())


def put(folder: Path, name: str = "net.pth", content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_a_given_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = put(tmp_path, "renamed.bin")
    found = find_weights([published(tmp_path)], path, False, "net")
    assert found == Weights(path, "net.pth", SHA256, True)
    assert found.protocol == {"weights": "net.pth", "sha256": SHA256, "published_weights": True}


def test_a_given_file_of_other_content_is_taken_with_a_warning(tmp_path: Path) -> None:
    path = put(tmp_path, "mine.pth", b"other")
    with pytest.warns(UserWarning, match="no published file"):
        found = find_weights([published(tmp_path)], path, False, "net")
    assert not found.is_published and found.name == "mine.pth"


def test_caches_are_searched_in_order(tmp_path: Path) -> None:
    hub = put(Path(torch.hub.get_dir()) / "checkpoints")
    assert find_weights([published(tmp_path)], None, False, "net").path == hub
    own = put(weights_folder())
    assert find_weights([published(tmp_path)], None, False, "net").path == own
    assert own.parent == tmp_path / "cache" / "weights"


def test_a_damaged_file_in_the_cache_is_refused(tmp_path: Path) -> None:
    put(weights_folder(), content=b"half of it")
    with pytest.raises(ValueError, match=f"net.pth: got sha256 .* expected {SHA256}"):
        find_weights([published(tmp_path)], None, True, "net")


def test_nothing_is_downloaded_unless_asked(tmp_path: Path) -> None:
    file = published(tmp_path)
    with pytest.raises(ValueError) as caught:
        find_weights([file], None, False, "net")
    message = str(caught.value)
    assert all(part in message for part in ("net.pth", SHA256, file.source, str(weights_folder()), "download"))
    assert "\n" not in message and not weights_folder().exists()
    with pytest.raises(ValueError, match="not a file"):
        find_weights([file], tmp_path / "absent.pth", True, "net")


def test_download(tmp_path: Path) -> None:
    found = find_weights([published(tmp_path)], None, True, "net")
    assert found.path == weights_folder() / "net.pth" and found.path.read_bytes() == CONTENT
    assert [path.name for path in weights_folder().iterdir()] == ["net.pth"]


def test_a_download_with_another_content_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got sha256"):
        find_weights([published(tmp_path, b"replaced")], None, True, "net")
    assert list(weights_folder().iterdir()) == []
    gone = WeightsFile("net.pth", SHA256, (tmp_path / "nowhere.pth").as_uri())
    with pytest.raises(ValueError, match="could not be downloaded"):
        find_weights([gone], None, True, "net")


def test_reading(tmp_path: Path) -> None:
    state = {"a": torch.arange(3.0)}
    save_file(state, tmp_path / "net.safetensors")
    for name, content in (("plain.pth", state), ("model.pth", {"model": state}), ("dict.pth", {"state_dict": state})):
        torch.save(content, tmp_path / name)
    for path in tmp_path.glob("*.*"):
        if path.is_file():
            assert torch.equal(read_weights(path)["a"], state["a"]), path


def test_what_is_no_dictionary_of_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "program.pth")
    put(tmp_path, "noise.pth", b"\x80\x05garbage")
    put(tmp_path, "noise.safetensors", b"garbage")
    for name in ("list.pth", "program.pth", "noise.pth", "noise.safetensors"):
        with pytest.raises(ValueError, match=name):
            read_weights(tmp_path / name)


def test_fill_names_what_does_not_fit(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 1)
    with pytest.raises(ValueError, match=r"1 missing \(bias\); 1 unknown \(scale\); 1 shape \(weight\)"):
        fill(network, {"weight": torch.zeros(3, 1), "scale": torch.zeros(1)}, tmp_path, "net")
    fill(network, {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, tmp_path, "net")
    assert network(torch.ones(1, 2)).item() == 3


def test_torchscript_of_unknown_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    torch.jit.script(torch.nn.Linear(2, 1)).save(str(path))
    torch.save({"a": torch.zeros(1)}, tmp_path / "tensors.pth")
    assert is_torchscript(path) and not is_torchscript(tmp_path / "tensors.pth")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    unknown = Weights(path, path.name, sha256, False)
    with pytest.raises(ValueError, match=f"trust={sha256}"):
        load_torchscript(unknown, "net", trust="0" * 64)
    assert load_torchscript(unknown, "net", trust=sha256)(torch.ones(1, 2)).shape == (1, 1)
    assert load_torchscript(unknown._replace(is_published=True), "net")(torch.ones(1, 2)).shape == (1, 1)
