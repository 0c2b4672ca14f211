"""`facegen export`: the network of a run as safetensors and JSON, or as a pipeline of diffusers."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from facegen.checkpoint import save_network
from facegen.cli.sampling import load_any
from facegen.networks.bisenet import BiSeNet
from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator
from facegen.networks.diffusion.unet import UNet
from facegen.networks.parsing import ParsingNetwork
from facegen.networks.reconstruction import ReconstructionNetwork

CONFIG = "export"
FORMATS = ("facegen", "diffusers")
HELP = """\
Write a run's generator as model.safetensors and config.json: data only, nothing in them can run.

Examples:
  facegen export checkpoint=runs/NAME out=my_generator
  facegen generate checkpoint=my_generator seeds=0-7
  python -c "import facegen; G = facegen.load('my_generator')"     the averaged weights, ready to use
  facegen export checkpoint=runs/NAME out=my_pipeline format=diffusers

format=diffusers writes latent diffusion as a folder that DiffusionPipeline.from_pretrained("my_pipeline") loads, with a
README.md of ten lines to sample from it; samples of the same noise are the same. It is an LDMPipeline for a model
without conditions, a StableDiffusionPipeline for one with tokens and a KL first stage, and one with ControlNets for its
controls; what diffusers has no class for is refused, and why. `facegen import` reads the folder back.
ema_std=0.12 gives averages of another width, as a part of the training time, of a run with model.ema=power.
A run of model=reconstruction gives its reconstruction network instead, one of model=kl_f4 the first stage that latent
diffusion trains on. Optimisers and the discriminator stay in the run: to train on, keep the run folder."""


def run(cfg: DictConfig) -> None:
    """Export the averaged network."""
    path, out = Path(str(cfg.checkpoint)).expanduser(), Path(str(cfg.out)).expanduser()
    if cfg.format not in FORMATS:
        raise ValueError(f"format: got {cfg.format!r}, expected {' or '.join(FORMATS)}")
    network = load_any(path) if cfg.ema_std is None else _averaged(path, cfg.ema_std)
    if cfg.format == "facegen":
        return print(describe(network, save_network(network, out, {"source": path.name})))
    from facegen.importers.pipelines import export_pipeline

    written = export_pipeline(network, out)
    print(f"{describe(network, out)}, {written.pipeline} with {written.sampler}{_instead(network, written.sampler)}")


def _averaged(path: Path, std: Any) -> Any:
    """A run's averages of another width."""
    from facegen.models.posthoc import posthoc_average

    if isinstance(std, bool) or not isinstance(std, int | float):
        raise ValueError(f"ema_std: got {std!r}, expected a part of the training time such as 0.1")
    return posthoc_average(path, float(std))


def _instead(network: object, sampler: str) -> str:
    own = network.sampling.sampler if isinstance(network, LatentGenerator) else sampler
    return "" if own == sampler else f" (that pipeline cannot run {own})"


def describe(network: object, out: Path) -> str:
    """One line on what was written."""
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    if isinstance(network, ReconstructionNetwork):
        kind, count = network.init_kwargs["kind"], network.num_coefficients
        what = f"{kind}, {network.size} pixels, {count} coefficients"
    elif isinstance(network, ParsingNetwork | BiSeNet):
        what = f"{network.size} pixels, {len(network.parts)} parts of faces"
    elif isinstance(network, FirstStage):
        side = network.latent_size
        what = f"{network.kind}, {network.img_resolution} pixels, latents {network.latent_channels}x{side}x{side}"
    elif isinstance(network, UNet):
        what = f"{network.init_kwargs['in_channels']} channels of latents; it has no first stage"
    elif isinstance(network, ControlBranch):
        what = f"hints of {network.hint_channels} channels; attach it with base=MODEL"
    elif isinstance(network, LatentGenerator):
        told = [*network.condition_names, *network.control_names]
        what = f"{network.img_resolution} pixels, {', '.join(told) or 'no conditions'}"
    else:
        what = f"{getattr(network, 'img_resolution', '?')} pixels, {getattr(network, 'c_dim', '?')} label numbers"
    return f"{out}: {type(network).__name__}, {what}, {size / 1e6:.1f} MB"
