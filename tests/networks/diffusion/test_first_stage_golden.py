"""First stages against the reference's numbers: converted weights, encoding, codes, distributions, decoding."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from facegen.importers.compvis import load_compvis
from facegen.losses.first_stage import gaussian_nll, kl_divergence
from facegen.networks.diffusion.first_stage import FirstStage, gaussian
from tests.golden import golden_root

ROOT = golden_root().parent / "golden_diffusion"
REASON = f"reference numbers not found: {ROOT} does not exist; set FACEGEN_GOLDEN to the folder above it"
ENDING = ".io.safetensors"
FORWARD: dict[str, Any] = {"rtol": 0.0, "atol": 2e-5}  # README, tolerances
LOSS: dict[str, Any] = {"rtol": 1e-5, "atol": 0.0}
CLEAR = 1e-4  # margin above which the nearest code is the same for certain

pytestmark = pytest.mark.parity


def cases(prefix: str) -> list[Any]:
    """One parameter for each stored key of the first stages whose files have keys of this prefix."""
    if not ROOT.exists():
        return [pytest.param(None, None, id="absent", marks=pytest.mark.skip(reason=REASON))]
    found = []
    for path in sorted(ROOT.glob(f"*{ENDING}")):
        with safe_open(path, "pt") as file:
            names = list(file.keys())
        if any(name.startswith(prefix) for name in names):
            shared = ("image", "ldm.", "dist.", prefix)
            found += [pytest.param(path, key, id=f"{path.name.removesuffix(ENDING)}-{key}") for key in names
                      if key.startswith(shared)]  # fmt: skip
    return found


@cache
def stored(path: Path) -> Mapping[str, Tensor]:
    return load_file(path)


@cache
def network(path: Path) -> FirstStage:
    stem = path.name.removesuffix(ENDING)
    (weights,) = [file for file in ROOT.glob(f"{stem}.*") if file.suffix == ".ckpt" or _is_weights(file)]
    model: Any = load_compvis(weights)
    found = getattr(model, "first_stage", model)
    assert isinstance(found, FirstStage)
    return found


def _is_weights(file: Path) -> bool:
    return file.suffix == ".safetensors" and not file.name.endswith(ENDING)


@torch.no_grad()
@pytest.mark.parametrize(("path", "key"), cases("vq."))
def test_codes(path: Path, key: str) -> None:
    ours, io = network(path), stored(path)
    before = io["vq.encode"]
    match key:
        case "image":
            assert io[key].abs().max() <= 1
        case "vq.encode":
            torch.testing.assert_close(ours.encode(io["image"]), before, **FORWARD)
        case "vq.margin":
            codes = ours.model.quantize.embedding.weight.double()
            rows = before.double().movedim(1, -1)
            nearest = (rows[..., None, :] - codes).square().sum(dim=-1).topk(2, largest=False).values
            torch.testing.assert_close((nearest[..., 1] - nearest[..., 0]).float(), io[key], rtol=1e-4, atol=2e-5)
        case "vq.indices":
            clear = io["vq.margin"] > CLEAR
            found = ours.quantise(before).indices
            assert clear.float().mean() > 0.5 and found.shape == io[key].shape
            assert torch.equal(found[clear], io[key][clear])
        case "vq.quantized":
            torch.testing.assert_close(ours.codes(io["vq.indices"]), io[key], **FORWARD)
            torch.testing.assert_close(ours.quantise(before).latents, io[key], **FORWARD)
        case "vq.codebook_loss":
            torch.testing.assert_close(ours.quantise(before).loss, io[key], **LOSS)
        case "vq.decode":
            torch.testing.assert_close(ours.decode(before * ours.scaling_factor), io[key], **FORWARD)
            torch.testing.assert_close(ours(io["image"]).images, io[key], **FORWARD)
        case "vq.decode_no_quant":
            torch.testing.assert_close(ours.decode(before * ours.scaling_factor, quantise=False), io[key], **FORWARD)
        case "ldm.z":
            torch.testing.assert_close(ours.latents(ours.encode(io["image"])), io[key], **FORWARD)
        case "ldm.decode_first_stage":
            torch.testing.assert_close(ours.decode(io["ldm.z"]), io[key], **FORWARD)
        case _:
            pytest.fail(f"{path.name}: no test knows {key}")


@torch.no_grad()
@pytest.mark.parametrize(("path", "key"), cases("kl."))
def test_distributions(path: Path, key: str) -> None:
    ours, io = network(path), stored(path)
    known, extreme = gaussian(io["kl.moments"]), gaussian(io["dist.moments"])
    match key:
        case "image" | "kl.noise" | "dist.moments" | "dist.x":
            assert io[key].isfinite().all()
        case "kl.moments":
            torch.testing.assert_close(ours.encode(io["image"]), io[key], **FORWARD)
        case "kl.mean":
            torch.testing.assert_close(known.mean, io[key], **FORWARD)
        case "kl.logvar":
            torch.testing.assert_close(known.logvar, io[key], **FORWARD)
        case "kl.std":
            torch.testing.assert_close(known.std, io[key], **FORWARD)
        case "kl.kl":
            torch.testing.assert_close(kl_divergence(*known), io[key], **LOSS)
        case "kl.sample":
            torch.testing.assert_close(known.sample(io["kl.noise"]), io[key], **FORWARD)
            scaled = ours.latents(io["kl.moments"], io["kl.noise"])
            torch.testing.assert_close(scaled, io[key] * ours.scaling_factor, **FORWARD)
        case "kl.decode":
            torch.testing.assert_close(ours.decode(io["kl.sample"] * ours.scaling_factor), io[key], **FORWARD)
            torch.testing.assert_close(ours(io["image"], io["kl.noise"]).images, io[key], **FORWARD)
        case "kl.decode_mode":
            torch.testing.assert_close(ours(io["image"]).images, io[key], **FORWARD)
        case "dist.mode":
            torch.testing.assert_close(extreme.mean, io[key], **FORWARD)
        case "dist.std":
            torch.testing.assert_close(extreme.std, io[key], **LOSS)
        case "dist.var":
            torch.testing.assert_close(extreme.logvar.exp(), io[key], **LOSS)
        case "dist.kl":
            torch.testing.assert_close(kl_divergence(*extreme), io[key], **LOSS)
        case "dist.nll_small":
            small = gaussian(io["dist.moments"] / 25)
            torch.testing.assert_close(gaussian_nll(io["dist.x"], *small), io[key], **LOSS)
        case _:
            pytest.fail(f"{path.name}: no test knows {key}")
