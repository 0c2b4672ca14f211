"""Weights and inputs from the integer hash of golden3d's 11_networks.json."""

import json
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.geometry.reference import reference_file

FILE = reference_file("golden3d/11_networks.json")


def reference() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description and the arrays."""
    with np.load(FILE.with_suffix(".npz"), allow_pickle=False) as arrays:
        return json.loads(FILE.read_text()), {name: arrays[name] for name in arrays.files}


def hashed(count: int, k: int) -> np.ndarray:
    """`count` numbers in [-1, 1) of stream k, as the JSON's `procedural_weights` describes."""
    i = np.arange(count, dtype=np.uint32)  # products wrap around, as they are meant to
    h = i * np.uint32(2654435761) + np.uint32((k + 1) * 40503 * 65537 % 2**32)
    for shift, factor in ((15, 2246822519), (13, 3266489917)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    h ^= h >> np.uint32(16)
    return h / 2**32 * 2 - 1


def hashed_tensor(shape: tuple[int, ...], k: int) -> Tensor:
    """The same as a tensor."""
    return torch.from_numpy(hashed(int(np.prod(shape)), k)).reshape(shape)


def inputs(description: dict[str, Any], network: str) -> Tensor:
    """The hashed input of a kind of network (`recon` or `recog`), before its range is changed."""
    weights = description["procedural_weights"]
    offset, shape = re.findall(r"salt\+(\d+), shape ([\dx]+)", weights["inputs"][network])[0]
    return hashed_tensor(tuple(map(int, shape.split("x"))), weights["salt"] + int(offset))


def procedural(name: str, shape: torch.Size, k: int) -> Tensor:
    """A parameter or buffer by its name."""
    v = hashed_tensor(tuple(shape), k)
    if name.endswith("running_var"):
        return 1 + 0.2 * v
    if name.endswith("running_mean"):
        return 0.05 * v
    if len(shape) >= 2:
        gain = 1.0 if "final_layers" in name or name.endswith("fc.weight") else 2.0
        return v * 3**0.5 * (gain / shape[1:].numel()) ** 0.5
    if name.endswith("bias"):
        return 0.05 * v
    return 0.25 + 0.05 * v if "prelu" in name else 1 + 0.1 * v


def fill(network: nn.Module, salt: int) -> None:
    """Give a network its hashed weights, in the network's precision."""
    entries = [(name, value) for name, value in network.state_dict().items() if "num_batches" not in name]
    state = {name: procedural(name, value.shape, salt + k) for k, (name, value) in enumerate(entries)}
    network.load_state_dict(state, strict=False)
