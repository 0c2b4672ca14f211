"""A table of what was checked on the GPU: operations and networks against the CPU, training, resuming.

`make gpu-check`, or `python benchmarks/gpu_check.py [--device cuda]`. Exits 0 when everything passes, and, with a line
that says so, where there is no GPU; exits 1 when a check fails.
"""

import argparse
import json
import logging
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegen import ops
from facegen.data import FaceDataModule, Recipe
from facegen.geometry import cameras
from facegen.losses import path_length, r1_penalty
from facegen.models import EG3D, LatentDiffusion, StyleGAN2
from facegen.networks.ada import AUGMENT_PRESETS, AugmentPipe
from facegen.networks.diffusion import FirstStage
from facegen.networks.eg3d import ImagePair
from facegen.networks.stylegan2 import Discriminator, Generator
from facegen.rendering import antialias, interpolate, rasterize

Tensors = list[Tensor]
# In units of the largest value of each tensor. Devices differ in the order of summation only: TF32 is off.
FORWARD, SECOND = 1e-4, 1e-3


class Row(NamedTuple):
    """One line of the table."""

    check: str
    passed: bool
    measured: str
    seconds: float


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def derivatives(y: Tensor, inputs: Tensors) -> Tensors:
    """Value, gradients, and gradients of the gradients' squared sum."""
    scalar = (y * normal(*y.shape, seed=9).to(y)).sum()
    first = torch.autograd.grad(scalar, inputs, create_graph=True)
    squares = torch.stack([gradient.square().sum() for gradient in first]).sum()
    second = torch.autograd.grad(squares, inputs, allow_unused=True) if squares.requires_grad else ()
    return [y, *first, *(tensor for tensor in second if tensor is not None)]


def operation(name: str) -> Callable[[torch.device], Tensors]:
    """An operation on small tensors, with first and second order."""

    def run(device: torch.device) -> Tensors:
        x = normal(2, 8, 16, 16).to(device).requires_grad_(True)
        w = normal(8, 8, 3, 3, seed=1).to(device).requires_grad_(True)
        b, s = (normal(*shape, seed=2).to(device).requires_grad_(True) for shape in ((8,), (2, 8)))
        f = ops.setup_filter([1, 3, 3, 1]).to(device)
        if name == "upfirdn2d":
            return derivatives(ops.upfirdn2d(x, f, up=2, down=1, padding=[2, 1, 2, 1], gain=4), [x])
        if name == "bias_act":
            return derivatives(ops.bias_act(x, b, act="swish"), [x, b])
        if name == "conv2d_resample":
            return derivatives(ops.conv2d_resample(x, w, f=f, down=2, padding=1), [x, w])
        y = ops.modulated_conv2d(x, w, s, up=2, padding=1, resample_filter=f, flip_weight=False)
        return derivatives(y, [x, w, s])

    return run


def augmentation(device: torch.device) -> Tensors:
    pipe = AugmentPipe(**AUGMENT_PRESETS["bgc"]).to(device)
    images = normal(4, 3, 32, 32).clamp(-1, 1).to(device).requires_grad_(True)
    y = pipe(images, debug_percentile=0.3)
    return [y, *torch.autograd.grad((y * normal(*y.shape, seed=9).to(device)).sum(), [images])]


def networks(fp16: int = 0, c_dim: int = 25) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    widths = {"channel_base": 2048, "channel_max": 64, "num_fp16_res": fp16, "conv_clamp": 256 if fp16 else None}
    generator = Generator(z_dim=64, c_dim=c_dim, w_dim=64, img_resolution=64, synthesis_kwargs=dict(widths))
    return generator, Discriminator(c_dim=c_dim, img_resolution=64, **widths)


def generator_check(device: torch.device) -> Tensors:
    generator = networks()[0].to(device)
    ws = generator.mapping(normal(4, 64).to(device), normal(4, 25, seed=1).to(device), update_w_avg=False)
    images = generator.synthesis(ws, noise_mode="const")
    lengths = path_length(images, ws, normal(*images.shape, seed=2).to(device))
    return [images, lengths, *gradients(lengths.mean() + images.square().mean(), generator)]


def discriminator_check(device: torch.device) -> Tensors:
    discriminator = networks()[1].to(device)
    images = normal(4, 3, 64, 64).to(device).requires_grad_(True)
    logits = discriminator(images, normal(4, 25, seed=1).to(device))
    penalty = r1_penalty(images, logits)
    return [logits, penalty, *gradients(penalty.mean() + logits.mean(), discriminator)]


def eg3d(precision: Any = "32-true", half: int = 0) -> EG3D:
    """64 pixels from renderings of 16."""
    torch.manual_seed(0)
    widths = {"channel_base": 2048, "channel_max": 64, "conv_clamp": 256 if half else None, "num_fp16_res": half}
    return EG3D(
        64,
        batch_size=8,
        generator={"z_dim": 64, "w_dim": 64, "plane_resolution": 64, "sr_num_fp16_res": half, **widths},
        discriminator=dict(widths),
        rendering={"superresolution_module": "tiny", "depth_resolution": 8, "depth_resolution_importance": 8},
        neural_rendering_resolution_initial=16,
        precision=precision,
    )


def mesh_check(device: torch.device) -> Tensors:
    """Triangles are searched for on the CPU, so that both devices draw the same; the rest is the device's."""
    grid = torch.linspace(-1, 1, 12)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    points = torch.stack([x, y, 0.2 * (x * x + y * y), torch.ones_like(x)], dim=-1).reshape(-1, 4)
    points = (points + 0.02 * normal(*points.shape)).to(device).requires_grad_(True)
    number = torch.arange(144).reshape(12, 12)
    halves = (number[:-1, :-1], number[:-1, 1:], number[1:, :-1]), (number[:-1, 1:], number[1:, 1:], number[1:, :-1])
    triangles = torch.cat([torch.stack(half, dim=-1).reshape(-1, 3) for half in halves]).to(device)
    colors = normal(144, 3, seed=1).to(device).requires_grad_(True)
    clip = points[None] * points.new_tensor([0.8, 0.7, 1, 1])
    seen = rasterize(clip, triangles, 64, backend="cpu")
    image = antialias(interpolate(colors, seen, triangles, backend="cpu"), seen, clip, triangles, backend="cpu")
    return [image, *torch.autograd.grad((image * normal(*image.shape, seed=9).to(device)).sum(), [points, colors])]


def poses(count: int) -> Tensor:
    """Cameras (N, 25) about the frontal one."""
    h, v = (torch.pi / 2 + 0.3 * normal(2, count)).unbind()
    return cameras.label(cameras.look_at(h, v), cameras.pinhole_intrinsics())


def rendering_check(device: torch.device) -> Tensors:
    generator = eg3d().generator.to(device)
    c = poses(2).to(device)
    numbers = torch.Generator().manual_seed(0)

    def rand(shape: list[int], device: torch.device) -> Tensor:
        return torch.rand(shape, generator=numbers).to(device)

    out = generator(normal(2, 64).to(device), c, noise_mode="const", rand=rand)
    return [*out, *gradients(out.image.square().mean() + out.image_depth.mean(), generator)]


def dual_check(device: torch.device) -> Tensors:
    discriminator = eg3d().discriminator.to(device)
    image, raw = (normal(4, 3, side, side).to(device).requires_grad_(True) for side in (64, 16))
    logits = discriminator(ImagePair(image, raw), poses(4).to(device))
    penalty = r1_penalty([image, raw], logits)
    return [logits, penalty, *gradients(penalty.mean() + logits.mean(), discriminator)]


def latent_diffusion(precision: Any = "32-true") -> LatentDiffusion:
    """A flow in latents of 4 x 16 x 16 that is told cameras; no layer starts at zero."""
    torch.manual_seed(0)
    stage = FirstStage("kl", 64, 4, (16, 32, 64), 1, norm_groups=8, mid_attention=False)
    model = LatentDiffusion(
        stage,
        denoiser={"channels": [32, 64], "blocks": 1, "attention": [False, True], "norm_groups": 8},
        conditions={"camera": {"kind": "numbers", "size": 25, "form": "tokens"}},
        condition_width=32,
        process={"objective": "flow"},
        sampling={"sampler": "flow_heun", "steps": 4},
        batch_size=8,
        cache_latents=False,
        precision=precision,
    )
    for parameter in (*model.generator_ema.denoiser.parameters(), *model.denoiser.parameters()):
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def diffusion_check(device: torch.device) -> Tensors:
    model = latent_diffusion().to(device)
    generator = model.generator_ema
    images = generator(normal(4, generator.z_dim).to(device), poses(4).to(device), guidance=1.5)
    moments = generator.first_stage.encode(normal(4, 3, 64, 64, seed=1).clamp(-1, 1).to(device))
    context = model.conditioner({"camera": poses(4).to(device)}, 4)  # type: ignore[misc]
    x = normal(4, 4, 16, 16, seed=2).to(device)
    prediction = model.denoiser(x, torch.full((4,), 300.0, device=device), context)
    return [images, moments, prediction, *gradients(prediction.square().mean(), model.denoiser)]


def gradients(loss: Tensor, network: torch.nn.Module) -> Tensors:
    """All gradients as one tensor: single near-cancelling scalars say nothing."""
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return [torch.cat([gradient.flatten() for gradient in found if gradient is not None])]


def against_cpu(run: Callable[[torch.device], Tensors], limit: float, device: torch.device) -> tuple[bool, str]:
    reference, ours = run(torch.device("cpu")), run(device)
    worst = 0.0
    for expected, got in zip(reference, ours, strict=True):
        expected, got = expected.detach(), got.detach().cpu()
        worst = max(worst, float((got - expected).abs().max() / expected.abs().max().clamp_min(1e-12)))
    return worst <= limit, f"{worst:.1e} <= {limit:.0e}"


class OneEpoch(lightning.Callback):
    """End after one pass, also when the checkpoint counts epochs already."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        trainer.should_stop = True


def pictures(folder: Path, labels: bool) -> FaceDataModule:
    """A data module over random pictures with cameras, made in `folder`."""
    random = np.random.default_rng(0)
    for index in range(16):
        picture = Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8))
        picture.save(folder / f"{index}.png")
    entries = [[f"{index}.png", label] for index, label in enumerate(poses(16).tolist())]
    (folder / "dataset.json").write_text(json.dumps({"labels": entries}))
    return FaceDataModule(Recipe(folder, 64, labels=labels), batch_size=8, workers=0)


def stylegan2(precision: Any) -> StyleGAN2:
    """64 pixels, the three highest resolutions in half precision."""
    torch.manual_seed(0)
    widths: dict[str, Any] = {"channel_base": 2048, "channel_max": 64, "num_fp16_res": 3, "conv_clamp": 256}
    generator: dict[str, Any] = {"z_dim": 64, "w_dim": 64, "synthesis_kwargs": dict(widths)}
    return StyleGAN2(64, 0, 8, generator=generator, discriminator=widths, precision=precision)


def trained(
    model: Any, folder: Path, device: torch.device, steps: int, save: Path | None = None, resume: Path | None = None
) -> Any:
    """A model after `steps` steps, or `steps` more; every regulariser runs in the first."""
    data = pictures(folder, labels=not isinstance(model, StyleGAN2))
    trainer = lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=-1,
        limit_train_batches=steps,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[OneEpoch()],
    )
    trainer.fit(model, datamodule=data, ckpt_path=None if resume is None else str(resume))
    if save is not None:
        trainer.save_checkpoint(save)
    return model


def training_check(model: Any, device: torch.device) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as folder:
        trained(model, Path(folder), device, steps=5)
    finite = all(bool(p.isfinite().all()) for p in model.parameters())
    passed = finite and model.images_seen == 40 and model.nonfinite_steps == 0
    return passed, f"{model.images_seen} images, {model.nonfinite_steps} non-finite steps"


def resume_check(build: Callable[[str], Any], device: torch.device) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = trained(build("32-true"), folder, device, steps=4)
        trained(build("32-true"), folder, device, steps=2, save=folder / "half.ckpt")
        resumed = trained(build("32-true"), folder, device, steps=2, resume=folder / "half.ckpt")
    pairs = list(zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True))
    if all(torch.equal(a, b) for a, b in pairs):
        return True, "the same bits"
    worst = max(float((a - b).abs().max() / a.abs().max().clamp_min(1e-12)) for a, b in pairs if a.is_floating_point())
    # cuDNN may add up in another order from run to run; Adam's first steps turn that into at most a few steps' length.
    return worst < 0.05 and whole.images_seen == resumed.images_seen, f"{worst:.1e} (sums in another order)"


def checks(device: torch.device) -> Iterator[tuple[str, Callable[[], tuple[bool, str]]]]:
    for name in ("upfirdn2d", "bias_act", "conv2d_resample", "modulated_conv2d"):
        yield f"{name}, two orders, as on the CPU", lambda n=name: against_cpu(operation(n), SECOND, device)
    yield "augmentation and gradient, as on the CPU", lambda: against_cpu(augmentation, FORWARD, device)
    yield "generator, path length, gradients, as on the CPU", lambda: against_cpu(generator_check, SECOND, device)
    yield "discriminator, R1, gradients, as on the CPU", lambda: against_cpu(discriminator_check, SECOND, device)
    yield "EG3D generator, gradients, as on the CPU", lambda: against_cpu(rendering_check, SECOND, device)
    yield "mesh rasteriser, silhouettes, as on the CPU", lambda: against_cpu(mesh_check, SECOND, device)
    yield "dual discriminator, R1, gradients, as on the CPU", lambda: against_cpu(dual_check, SECOND, device)
    yield "latent diffusion, gradients, as on the CPU", lambda: against_cpu(diffusion_check, SECOND, device)
    for precision in ("32-true", "bf16-mixed"):
        title = f"latent diffusion training steps, {precision}"
        yield title, lambda p=precision: training_check(latent_diffusion(p), device)
    for precision in ("32-true", "bf16-mixed", "16-mixed"):
        half = 0 if precision == "32-true" else 3
        yield f"StyleGAN2 training steps, {precision}", lambda p=precision: training_check(stylegan2(p), device)
        yield f"EG3D training steps, {precision}", lambda p=precision, h=half: training_check(eg3d(p, h), device)
    yield "stopped and resumed StyleGAN2, 32-true", lambda: resume_check(stylegan2, device)
    yield "stopped and resumed EG3D, 32-true", lambda: resume_check(eg3d, device)
    yield "stopped and resumed latent diffusion, 32-true", lambda: resume_check(latent_diffusion, device)


def measure(name: str, check: Callable[[], tuple[bool, str]]) -> Row:
    start = time.perf_counter()
    try:
        passed, measured = check()
    except Exception as error:
        passed, measured = False, f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
    return Row(name, passed, measured, time.perf_counter() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script itself")
    device = torch.device(parser.parse_args().device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("gpu-check: PyTorch sees no GPU here; nothing was checked.")
        return 0
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
    print(f"{name}, PyTorch {torch.__version__}\n{'check':<52}{'':<6}{'measured':<34}{'seconds':>8}")
    rows = []
    for check in checks(device):
        rows.append(row := measure(*check))
        print(f"{row.check:<52}{'ok' if row.passed else 'FAIL':<6}{row.measured:<34}{row.seconds:>8.1f}", flush=True)
    failed = sum(not row.passed for row in rows)
    print(f"gpu-check: {len(rows) - failed} of {len(rows)} checks passed on {name}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
