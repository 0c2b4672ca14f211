"""`facegen import`: an official file of weights, or a morphable model, as safetensors."""

from pathlib import Path

from omegaconf import DictConfig

from facegen.checkpoint import save_network
from facegen.cli.export import describe
from facegen.cli.sampling import load_any
from facegen.importers.foreign import Options
from facegen.importers.pipelines import is_pipeline_folder
from facegen.morphable.formats import read, write_model

CONFIG = "import"
_PATHS = ("config", "text_encoder")
HELP = """\
Turn an official file of weights into safetensors and JSON: a pickle of StyleGAN2-ADA, StyleGAN3's
repository, EG3D or LPFF (.pkl), a checkpoint of Deep3DFaceRecon (.pth), latent diffusion of CompVis or a ControlNet
(.ckpt, .pth, .safetensors), face-parsing.PyTorch's BiSeNet (.pth), or a folder of diffusers. Or pack a morphable model
into one file.

Examples:
  facegen import checkpoint=ffhq256.pkl out=ffhq256
  facegen generate checkpoint=ffhq256 seeds=0-7 truncation=0.7
  facegen import checkpoint=epoch_20.pth out=deep3d
  facegen import checkpoint=ldm/model.ckpt out=ldm                        its config.yaml lies beside it
  facegen import checkpoint=v1-5.ckpt config=v1-inference.yaml text_encoder=clip-vit-large-patch14 out=sd
  facegen import checkpoint=control_v11p_sd15_seg.pth base=sd name=mask out=sd_mask
  facegen import checkpoint=FOLDER_OF_DIFFUSERS out=model                  a pipeline, or its unet, vae, controlnet
  facegen import morphable=BFM out=bfm.safetensors

The file is read as data and never executed: one that asks for anything but tensors and known classes is refused. Of a
pickle the averaged generator (G_ema) is kept, for EG3D with the plane axes that it was trained with; of Deep3DFaceRecon
net_recon; of CompVis the averaged weights unless average=false. A control branch without base= is kept alone. The terms
of the weights stay those of their author."""


def run(cfg: DictConfig) -> None:
    """Import G_ema, net_recon or a morphable model."""
    if (cfg.checkpoint is None) == (cfg.morphable is None):
        got = "neither" if cfg.checkpoint is None else "both"
        raise ValueError(f"checkpoint, morphable: got {got}, expected one of them: weights, or a morphable model")
    return _weights(cfg) if cfg.morphable is None else _morphable(cfg)


def _morphable(cfg: DictConfig) -> None:
    out = Path(str(cfg.out)).expanduser()
    if out.suffix != ".safetensors":
        raise ValueError(f"out: got {out}, expected a file that ends in .safetensors for a morphable model")
    model = read(Path(str(cfg.morphable)).expanduser())
    out.parent.mkdir(parents=True, exist_ok=True)
    write_model(out, model)
    count, size = len(model.basis.mean_shape), out.stat().st_size
    print(f"{out}: {model.name}, {count} vertices, {size / 1e6:.1f} MB" + (f"; {model.terms}" if model.terms else ""))


def _weights(cfg: DictConfig) -> None:
    path = Path(str(cfg.checkpoint)).expanduser()
    if path.is_dir() and not is_pipeline_folder(path):
        got = f"got the folder {path}"
        raise ValueError(f"checkpoint: {got}, expected a file or a folder of diffusers; use `facegen export` for a run")
    network = load_any(path, _options(cfg))
    out = save_network(network, Path(str(cfg.out)).expanduser(), {"source": path.name})
    print(describe(network, out))


def _options(cfg: DictConfig) -> Options:
    config, text_encoder = (None if cfg[name] is None else Path(str(cfg[name])).expanduser() for name in _PATHS)
    if not isinstance(cfg.average, bool):
        raise ValueError(f"average: got {cfg.average!r}, expected true or false")
    if not str(cfg.name).isidentifier():
        raise ValueError(f"name: got {cfg.name!r}, expected a name such as mask, which `hints` then takes")
    base = None if cfg.base is None else load_any(Path(str(cfg.base)))
    return Options(config, base, str(cfg.name), cfg.average, text_encoder)
