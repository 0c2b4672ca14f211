"""`facegen import`: an official pickle as safetensors and JSON."""

from pathlib import Path

from omegaconf import DictConfig

from facegen.checkpoint import save_network
from facegen.cli.export import describe
from facegen.cli.sampling import load_generator

CONFIG = "import"
HELP = """\
Turn an official pickle (StyleGAN2-ADA, StyleGAN3 repository, EG3D, LPFF) into safetensors and JSON.

Examples:
  facegen import checkpoint=ffhq256.pkl out=ffhq256
  facegen generate checkpoint=ffhq256 seeds=0-7 truncation=0.7

The pickle is read as data and never executed: a file that asks for anything but tensors and known classes is
refused. Its averaged generator (G_ema) is kept, for EG3D with the plane axes that it was trained with. The terms
of the weights stay those of their author."""


def run(cfg: DictConfig) -> None:
    """Import G_ema."""
    path = Path(str(cfg.checkpoint)).expanduser()
    if path.is_dir():
        raise ValueError(f"checkpoint: got the folder {path}, expected a .pkl file; use `facegen export` for a run")
    generator = load_generator(str(path), "cpu")
    out = save_network(generator, Path(str(cfg.out)).expanduser(), {"source": path.name})
    print(describe(generator, out))
