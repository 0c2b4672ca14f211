"""`facegen export`: the network of a run as safetensors and JSON."""

from pathlib import Path

from omegaconf import DictConfig

from facegen.checkpoint import save_network
from facegen.cli.sampling import load_any
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.reconstruction import ReconstructionNetwork

CONFIG = "export"
HELP = """\
Write a run's generator as model.safetensors and config.json: data only, nothing in them can run.

Examples:
  facegen export checkpoint=runs/NAME out=my_generator
  facegen generate checkpoint=my_generator seeds=0-7
  python -c "import facegen; G = facegen.load('my_generator')"     the averaged weights, ready to use

A run of model=reconstruction gives its reconstruction network instead, one of model=kl_f4 the first stage that latent
diffusion trains on. Optimisers and the discriminator stay in the run: to train on, keep the run folder."""


def run(cfg: DictConfig) -> None:
    """Export the averaged network."""
    path = Path(str(cfg.checkpoint)).expanduser()
    network = load_any(path)
    out = save_network(network, Path(str(cfg.out)).expanduser(), {"source": path.name})
    print(describe(network, out))


def describe(network: object, out: Path) -> str:
    """One line on what was written."""
    size = sum(file.stat().st_size for file in out.iterdir() if file.is_file())
    if isinstance(network, ReconstructionNetwork):
        kind, count = network.init_kwargs["kind"], network.num_coefficients
        what = f"{kind}, {network.size} pixels, {count} coefficients"
    elif isinstance(network, FirstStage):
        side = network.latent_size
        what = f"{network.kind}, {network.img_resolution} pixels, latents {network.latent_channels}x{side}x{side}"
    else:
        what = f"{getattr(network, 'img_resolution', '?')} pixels, {getattr(network, 'c_dim', '?')} label numbers"
    return f"{out}: {type(network).__name__}, {what}, {size / 1e6:.1f} MB"
