"""`facegen export`: the generator of a run as safetensors and JSON."""

from pathlib import Path

from omegaconf import DictConfig

from facegen.checkpoint import save_network
from facegen.cli.sampling import load_generator

CONFIG = "export"
HELP = """\
Write a run's generator as model.safetensors and config.json: data only, nothing in them can run.

Examples:
  facegen export checkpoint=runs/NAME out=my_generator
  facegen generate checkpoint=my_generator seeds=0-7
  python -c "import facegen; G = facegen.load('my_generator')"     the averaged weights, ready to use

Optimisers and the discriminator stay in the run: to train on, keep the run folder."""


def run(cfg: DictConfig) -> None:
    """Export the EMA generator."""
    generator = load_generator(str(cfg.checkpoint), "cpu")
    out = save_network(generator, Path(str(cfg.out)).expanduser(), {"source": Path(str(cfg.checkpoint)).name})
    print(describe(generator, out))


def describe(generator: object, out: Path) -> str:
    """One line on what was written."""
    size = sum(file.stat().st_size for file in out.iterdir() if file.is_file())
    resolution, c_dim = getattr(generator, "img_resolution", "?"), getattr(generator, "c_dim", "?")
    return f"{out}: {type(generator).__name__}, {resolution} pixels, {c_dim} label numbers, {size / 1e6:.1f} MB"
