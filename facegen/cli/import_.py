"""`facegen import`: an official file of weights as safetensors and JSON."""

from pathlib import Path

from omegaconf import DictConfig

from facegen.checkpoint import save_network
from facegen.cli.export import describe
from facegen.cli.sampling import load_any

CONFIG = "import"
HELP = """\
Turn an official file of weights into safetensors and JSON: a pickle of StyleGAN2-ADA, StyleGAN3's
repository, EG3D or LPFF (.pkl), or a checkpoint of Deep3DFaceRecon (.pth).

Examples:
  facegen import checkpoint=ffhq256.pkl out=ffhq256
  facegen generate checkpoint=ffhq256 seeds=0-7 truncation=0.7
  facegen import checkpoint=epoch_20.pth out=deep3d

The file is read as data and never executed: one that asks for anything but tensors and known classes is refused. Of a
pickle the averaged generator (G_ema) is kept, for EG3D with the plane axes that it was trained with; of a .pth
net_recon. The terms of the weights stay those of their author."""


def run(cfg: DictConfig) -> None:
    """Import G_ema or net_recon."""
    path = Path(str(cfg.checkpoint)).expanduser()
    if path.is_dir():
        got = f"got the folder {path}"
        raise ValueError(f"checkpoint: {got}, expected a .pkl file or a .pth file; use `facegen export` for a run")
    network = load_any(path)
    out = save_network(network, Path(str(cfg.out)).expanduser(), {"source": path.name})
    print(describe(network, out))
