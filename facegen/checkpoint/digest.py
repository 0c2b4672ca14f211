"""A name for the weights of a network."""

import hashlib
from collections.abc import Collection

import torch
from torch import nn


def weights_digest(network: nn.Module, without: Collection[str] = ()) -> str:
    """sha256 over names, types, shapes and bytes of all weights and buffers, but for those named in `without`."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if name not in without:
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
