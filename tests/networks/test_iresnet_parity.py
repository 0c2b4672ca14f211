"""Identity networks: names, shapes and outputs of the reference, with weights from its integer hash."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facegen.networks.iresnet import BLOCKS, IResNet
from tests.geometry.reference import reference_file

FILE = reference_file("golden3d/11_networks.json")
pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not FILE.exists(), reason=f"reference numbers not found: {FILE}"),
]


def hashed(count: int, k: int) -> np.ndarray:
    """`count` numbers in [-1, 1) of stream k, as the JSON's `procedural_weights` describes."""
    i = np.arange(count, dtype=np.uint32)  # products wrap around, as they are meant to
    h = i * np.uint32(2654435761) + np.uint32((k + 1) * 40503 * 65537 % 2**32)
    for shift, factor in ((15, 2246822519), (13, 3266489917)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    h ^= h >> np.uint32(16)
    return h / 2**32 * 2 - 1


def procedural(name: str, shape: torch.Size, k: int) -> Tensor:
    v = torch.from_numpy(hashed(shape.numel(), k)).reshape(shape)
    if name.endswith("running_var"):
        return 1 + 0.2 * v
    if name.endswith("running_mean"):
        return 0.05 * v
    if len(shape) >= 2:
        gain = 1.0 if name.endswith("fc.weight") else 2.0
        return v * 3**0.5 * (gain / shape[1:].numel()) ** 0.5
    if name.endswith("bias"):
        return 0.05 * v
    return 0.25 + 0.05 * v if "prelu" in name else 1 + 0.1 * v


def filled(kind: str, salt: int) -> IResNet:
    network = IResNet(kind).double().eval()
    entries = [(name, value) for name, value in network.state_dict().items() if "num_batches" not in name]
    state = {name: procedural(name, value.shape, salt + k) for k, (name, value) in enumerate(entries)}
    network.load_state_dict(state, strict=False)
    return network


def reference() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with np.load(FILE.with_suffix(".npz"), allow_pickle=False) as arrays:
        return json.loads(FILE.read_text()), {name: arrays[name] for name in arrays.files}


def test_hash() -> None:
    _, arrays = reference()
    assert any(np.abs(hashed(8, k) - arrays["hash_check"]).max() < 1e-12 for k in (0, 1000))


@pytest.mark.parametrize("kind", BLOCKS)
def test_names_shapes_and_outputs(kind: str) -> None:
    description, arrays = reference()
    if f"iresnet_{kind}" not in description["state_dict_keys"]:
        pytest.skip("not among the reference's networks")
    salt = description["procedural_weights"]["salt"]
    network = filled(kind, salt)
    found = [[name, list(value.shape)] for name, value in network.state_dict().items()]
    assert found == description["state_dict_keys"][f"iresnet_{kind}"]
    faces = torch.from_numpy(hashed(2 * 3 * 112 * 112, salt + 901)).reshape(2, 3, 112, 112)
    with torch.no_grad():
        out = network(faces).numpy()
    for name, value in (("out", out), ("id_feature", out / np.linalg.norm(out, axis=1, keepdims=True))):
        expected = arrays[f"iresnet_{kind}_{name}"]
        assert np.abs(value - expected).max() <= 1e-9 * np.abs(expected).max(), name
