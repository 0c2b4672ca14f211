"""Generator and Discriminator against the reference implementation: values, traces, gradients, R1."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegen.networks.stylegan2 import Discriminator, Generator
from tests.golden import (
    NETWORK,
    assert_close_golden,
    assert_norm_close,
    golden_stems,
    group,
    load_json,
    load_npz,
)

pytestmark = pytest.mark.parity
generators = pytest.mark.parametrize("name", golden_stems("stylegan2/g*.weights.npz", ".weights.npz"))
discriminators = pytest.mark.parametrize("name", golden_stems("stylegan2/d*.weights.npz", ".weights.npz"))


def _load(golden, name, network_class):
    """A network with the stored weights, its description and its recorded arrays."""
    folder = golden / "stylegan2"
    description = load_json(folder / f"{name}.json")
    network = network_class(**description["config"])
    network.load_state_dict(load_npz(folder / f"{name}.weights.npz"), strict=True)
    return network.eval(), description, load_npz(folder / f"{name}.io.npz")


def _recorded(arrays: dict[str, Tensor], prefix: str):
    """Names, strides and values of the arrays of a group; `.s4` means every fourth row and column."""
    for key, value in group(arrays, prefix).items():
        match = re.fullmatch(r"(.+?)(?:\.s(\d+))?", key)
        assert match
        yield match[1], int(match[2] or 1), value


def _truncation(name: str, description) -> dict:
    """`psi07_cut` -> psi 0.7 with the recorded cutoff; `psi_neg03` -> psi -0.3."""
    match = re.fullmatch(r"psi(_neg)?(\d+)(_cut)?", name)
    assert match, name
    psi = float(match[2].replace("0", "0.", 1) if match[2].startswith("0") else match[2])
    cutoff = description["truncation_cutoff"] if match[3] else None
    return {"truncation_psi": -psi if match[1] else psi, "truncation_cutoff": cutoff}


def _trace_blocks(network: nn.Module, resolutions: list[int]) -> dict[str, Tensor]:
    """Hooks that keep the first sample of every block's output, thinned as the recorded traces are."""
    traces: dict[str, Tensor] = {}

    def keep(resolution):
        def hook(_module, _inputs, outputs):
            step = max(1, resolution // 16)
            for kind, value in zip(("x", "img"), outputs, strict=True):
                if value is not None:
                    traces[f"b{resolution}.{kind}"] = value[:1, :, ::step, ::step].float()

        return hook

    for resolution in resolutions:
        getattr(network, f"b{resolution}").register_forward_hook(keep(resolution))
    return traces


def _largest(norms: dict[str, float | None]) -> float:
    """The largest gradient norm of a phase; `null` stands for no gradient."""
    return max(norm or 0.0 for norm in norms.values())


def _compare_gradients(
    parameters: dict[str, nn.Parameter], arrays: dict[str, Tensor], prefix: str, norms: dict
) -> None:
    """All norms, and the gradient tensors that are stored."""
    largest = _largest(norms)
    assert set(norms) == set(parameters)
    for name, parameter in parameters.items():
        grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert_norm_close(grad.double().norm().item(), norms[name], largest, f"{prefix}{name}")
        if prefix + name in arrays:
            assert_close_golden(grad, arrays[prefix + name], 1e-3, 1e-4 * largest, prefix + name)


@generators
def test_generator_names(golden, name):
    network, description, _ = _load(golden, name, Generator)
    assert [key for key, _ in network.named_parameters()] == description["parameters"]
    assert [key for key, _ in network.named_buffers()] == description["buffers"]
    assert (network.num_ws, network.w_dim) == (description["num_ws"], description["w_dim"])
    assert network.synthesis.block_resolutions == description["block_resolutions"]


@generators
@torch.no_grad()
def test_mapping(golden, name):
    network, description, arrays = _load(golden, name, Generator)
    compared = 0
    for key, _, ref in _recorded(arrays, "ws_"):
        if key.startswith("psi"):
            ws = network.mapping(arrays["z"], arrays["c"], **_truncation(key, description))
            assert_close_golden(ws, ref, *NETWORK, name=key)
            compared += 1
    assert compared


@generators
@torch.no_grad()
def test_images(golden, name):
    network, description, arrays = _load(golden, name, Generator)
    compared = 0
    for key, step, ref in _recorded(arrays, "img_"):
        noise_mode, _, variant = key.partition("_")
        if noise_mode == "random":
            continue
        call = {"noise_mode": noise_mode, "force_fp32": True}
        if variant.startswith("ws_"):
            images = network.synthesis(arrays[variant], **call)
        else:
            images = network(arrays["z"], arrays["c"], **_truncation(variant, description), **call)
        assert_close_golden(images[:, :, ::step, ::step], ref, *NETWORK, name=key)
        compared += 1
    assert compared


@generators
@torch.no_grad()
def test_block_traces(golden, name):
    network, description, arrays = _load(golden, name, Generator)
    traces = _trace_blocks(network.synthesis, description["block_resolutions"])
    network.synthesis(arrays["ws_distinct"], noise_mode="const", force_fp32=True)
    recorded = group(arrays, "trace/")
    assert set(recorded) == set(traces)
    for key, ref in recorded.items():
        assert_close_golden(traces[key], ref, *NETWORK, name=key)


@generators
@torch.no_grad()
def test_random_noise(golden, name, monkeypatch):
    network, _, arrays = _load(golden, name, Generator)
    draws = [value for _, value in sorted(group(arrays, "noise_random/").items())]

    def draw(*size, **_kwargs):
        shape = size[0] if len(size) == 1 else size
        value = draws.pop(0)
        assert tuple(shape) == tuple(value.shape)
        return value

    monkeypatch.setattr(torch, "randn", draw)
    ((step, ref),) = [(step, ref) for key, step, ref in _recorded(arrays, "img_") if key == "random"]
    images = network(arrays["z"], arrays["c"], noise_mode="random", force_fp32=True)
    assert_close_golden(images[:, :, ::step, ::step], ref, *NETWORK, name="img_random")
    assert not draws


@generators
@torch.no_grad()
def test_moving_average_of_w(golden, name):
    network, _, arrays = _load(golden, name, Generator)
    network.train()
    assert_close_golden(network.mapping.w_avg, arrays["w_avg/before"], 0, 0, "before")
    steps = sorted({key.split("/")[1] for key in arrays if key.startswith("w_avg/step")})
    assert steps
    for step in steps:
        network.mapping(arrays[f"w_avg/{step}/z"], arrays[f"w_avg/{step}/c"])
        assert_close_golden(network.mapping.w_avg, arrays[f"w_avg/{step}/w_avg"], *NETWORK, name=step)


@generators
def test_generator_gradients(golden, name):
    network, description, arrays = _load(golden, name, Generator)
    z = arrays["z"].requires_grad_()
    images = network(z, arrays["c"], noise_mode="const", force_fp32=True)
    (images * arrays["grad_in/g"]).sum().backward()
    norms = description["grad_norms"]
    assert z.grad is not None
    assert_close_golden(z.grad, arrays["grad_in/z"], 1e-3, 1e-4 * _largest(norms), "z")
    _compare_gradients(dict(network.named_parameters()), arrays, "grad_in/grad/", norms)


@discriminators
def test_discriminator_names(golden, name):
    network, description, _ = _load(golden, name, Discriminator)
    assert [key for key, _ in network.named_parameters()] == description["parameters"]
    assert [key for key, _ in network.named_buffers()] == description["buffers"]


@discriminators
@torch.no_grad()
def test_logits(golden, name):
    network, _, arrays = _load(golden, name, Discriminator)
    recorded = group(arrays, "trace/")
    traces = _trace_blocks(network, network.block_resolutions)
    logits = network(arrays["img"], arrays["c"], force_fp32=True)
    for key, ref in recorded.items():
        assert_close_golden(traces[key], ref, *NETWORK, name=key)
    if "cmap" in arrays:
        assert_close_golden(network.mapping(None, arrays["c"]), arrays["cmap"], *NETWORK, name="cmap")
    assert_close_golden(logits, arrays["logits"], *NETWORK, name="logits")
    assert_close_golden(logits, arrays["logits"], 0, 1e-5, "logits, absolute")
    assert_close_golden(F.softplus(-logits), arrays["loss/softplus_neg"], *NETWORK, name="softplus(-logits)")
    assert_close_golden(F.softplus(logits), arrays["loss/softplus_pos"], *NETWORK, name="softplus(logits)")


@discriminators
def test_r1(golden, name):
    network, description, arrays = _load(golden, name, Discriminator)
    images = arrays["img"].requires_grad_()
    logits = network(images, arrays["c"], force_fp32=True)
    (grad,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    penalty = grad.square().sum([1, 2, 3])
    loss = (penalty * (description["r1_gamma"] / 2)).mean()
    loss.backward()
    norms = description["r1_grad_norms"]
    largest = _largest(norms)
    ref = arrays["r1/grad_img"]
    assert_close_golden(grad[: len(ref)], ref, 1e-3, 1e-4 * largest, "r1/grad_img")
    assert_close_golden(penalty, arrays["r1/penalty"], *NETWORK, name="r1/penalty")
    assert_close_golden(loss, arrays["r1/loss"], *NETWORK, name="r1/loss")
    _compare_gradients(dict(network.named_parameters()), arrays, "r1/grad/", norms)


@discriminators
def test_loss_on_real_images(golden, name):
    network, description, arrays = _load(golden, name, Discriminator)
    images = arrays["img"].requires_grad_()
    loss = F.softplus(-network(images, arrays["c"], force_fp32=True)).mean()
    loss.backward()
    norms, ref = description["dreal_grad_norms"], arrays["dreal/grad_img"]
    assert images.grad is not None
    assert_close_golden(loss, arrays["dreal/loss"], *NETWORK, name="dreal/loss")
    assert_close_golden(images.grad[: len(ref)], ref, 1e-3, 1e-4 * _largest(norms), "dreal/grad_img")
    _compare_gradients(dict(network.named_parameters()), arrays, "dreal/grad/", norms)
