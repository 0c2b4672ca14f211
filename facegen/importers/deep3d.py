"""Weights of Deep3DFaceRecon (Deng et al. 2019) as it saves them, `epoch_20.pth`: read as data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facegen.networks.reconstruction import ReconstructionNetwork, kind_of

_NETWORK = "net_recon"  # beside it opt_00 and sched_00, which say how training would go on
_HEADS, _LAST = "final_layers.0.weight", "backbone.fc.weight"
_POSE_AND_LIGHT = 33
_BASEL = (80, 64, 80)


def load_reconstruction(path: str | Path) -> ReconstructionNetwork:
    """The network of a checkpoint, in eval mode: its kind and its numbers of coefficients are those of the tensors.

    Nothing of the file is executed. Raises ValueError for files that hold something else.
    """
    state = _network_state(Path(path))
    try:
        kind = kind_of(state)
        network = ReconstructionNetwork(kind, _layout(state), use_last_fc=_LAST in state)
    except ValueError as error:
        raise ValueError(f"checkpoint: {path}: {error}") from None
    _check_names(state, network.state_dict(), path)
    network.load_state_dict(
        {name: tensor.float() for name, tensor in state.items() if tensor.is_floating_point()}, False
    )
    return network.eval().requires_grad_(False)


def _network_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ValueError(f"checkpoint: got {path}, expected a .pth file of Deep3DFaceRecon")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"checkpoint: {path} is not a readable file of tensors ({reason})") from error
    if not isinstance(content, dict) or _NETWORK not in content:
        keys = ", ".join(map(str, list(content)[:4])) if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f"checkpoint: {path} holds {keys or 'nothing'}, expected {_NETWORK} as Deep3DFaceRecon saves it"
        )
    state = content[_NETWORK]
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ValueError(f"checkpoint: {path}: {_NETWORK} is no mapping of names to tensors")
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def _layout(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Numbers of identity, expression and albedo: the rows of the first heads, or the Basel Face Model's."""
    if _HEADS in state:
        names = [_HEADS.replace("0", str(number)) for number in range(3)]
        if missing := [name for name in names if name not in state]:
            raise ValueError(f"it has no tensor {missing[0]}")
        return tuple(len(state[name]) for name in names)
    found = len(state[_LAST]) if _LAST in state else 0
    if found != sum(_BASEL) + _POSE_AND_LIGHT:
        raise ValueError(f"it has a last layer of {found} numbers, expected 257, or heads named final_layers")
    return _BASEL


def _check_names(state: Mapping[str, Tensor], ours: Mapping[str, Tensor], path: str | Path) -> None:
    """Every tensor that the network has, in its shape, finite, and no other."""
    for name, tensor in ours.items():
        if name not in state:
            if name.endswith("num_batches_tracked"):
                continue
            raise ValueError(f"checkpoint: {path} has no tensor {name}; the file is not whole")
        if state[name].shape != tensor.shape:
            got, expected = tuple(state[name].shape), tuple(tensor.shape)
            raise ValueError(f"checkpoint: {path}: {name} has shape {got}, expected {expected}")
        if not bool(state[name].isfinite().all()):
            raise ValueError(f"checkpoint: {path}: {name} has numbers that are not finite; the file is damaged")
    if strange := sorted(state.keys() - ours.keys()):
        raise ValueError(f"checkpoint: {path} has a tensor {strange[0]} that no reconstruction network has")
