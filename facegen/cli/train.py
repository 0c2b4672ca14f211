"""`facegen train`: a run folder, a data module, a model and a trainer."""

import logging
import os
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from facegen.cli import schema
from facegen.cli.adherence import adherence_callbacks, held_out_of
from facegen.cli.sampling import load_any
from facegen.cli.terms import announce

CONFIG = "train"
FITTING_KIMG = 4.0  # between fits of samples, where nothing else is said
HELP = """\
Train a generator.

Writes runs/<name>/ with config.yaml, log.txt, metrics.jsonl, reals.png, samples/<kimg>.png and checkpoints/.

Examples:
  facegen train                                             the embedded synthetic heads, a network for a CPU
  facegen train data=folder data.root=PATH                  your photographs, read in place
  facegen train data=folder data.root=PATH data.mirror=true name=mine total_kimg=1000
  facegen train data=lpff_ffhq model=eg3d_ffhq512 datasets.root=/datasets      published datasets, as recipes
  facegen train data=[ffhq_cleaned,sfhq_part1] model=paper256                  several as one
  facegen train data=zip data.root=ffhq-256.zip model=paper256 precision=bf16-mixed processes=8
  facegen train name=mine resume=auto                       continue after a kill or Ctrl-C, to the same bits
  facegen train name=finer finetune_from=runs/mine data=folder data.root=PATH
  facegen train model=stylegan2_tiny model.r1_gamma=1 batch_size=32 wandb=offline
  facegen train model=latent_diffusion_tiny model.first_stage=runs/AUTOENCODER    a diffusion model (docs/diffusion.md)
  facegen train model=eg3d_tiny fitting.regressor=PATH      do samples show their cameras and depths? (docs/in_loop.md)

Ctrl-C finishes the step, saves and ends; once more ends at once."""


def run(cfg: DictConfig) -> None:
    """Compose the run and train."""
    from hydra.utils import instantiate

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    settings.pop("experiment", None)
    folder, checkpoint = _place(settings)
    _set_threads(settings)
    data = instantiate(settings["data"])
    announce(data.recipe.terms)
    data.train_dataloader()  # names problems of the images before anything is written
    if "c_dim" in (schema.parameters(settings["model"]["_target_"]) or {}):
        settings["model"]["c_dim"] = data.c_dim
    torch.manual_seed(settings["seed"])
    model = instantiate(settings["model"], _convert_="all")  # plain values: a checkpoint holds nothing else
    if settings["finetune_from"] is not None and checkpoint is None:
        _copy_weights(model, str(settings["finetune_from"]))
    if (check := getattr(model, "check_data", None)) is not None:
        check(data)
    trainer = _trainer(settings, folder)
    # After Lightning's import, which puts its own filters first. The averaged generator is in eval mode on purpose;
    # the other warning is between Lightning and PyTorch.
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training")
    warnings.filterwarnings("ignore", message=".*LeafSpec")
    if trainer.is_global_zero:
        _prepare(folder, settings, checkpoint, data, model)
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if trainer.is_global_zero:
        after = f"generate checkpoint={folder} seeds=0-7" if model.averaged == "generator_ema" else "export --help"
        print(f"{folder}: {model.images_seen / 1000:.3f} kimg; facegen {after}")


def _place(settings: dict[str, Any]) -> tuple[Path, Path | None]:
    """The run's folder and the checkpoint to continue from."""
    from facegen.checkpoint import checkpoint_files

    runs, name, resume = Path(settings["runs_dir"]), settings["name"], settings["resume"]
    if name is None:
        name = _numbered(runs, settings, resume)
    if Path(str(name)).name != str(name):
        raise ValueError(f"name: got {name!r}, expected the name of one folder; runs_dir=PATH chooses where it is")
    folder = runs / str(name)
    files = checkpoint_files(folder)
    if resume is None:
        # A relaunched worker of this very run finds what the first process has just made.
        if files and "LOCAL_RANK" not in os.environ:
            raise ValueError(f"{folder} already holds a run; continue it with resume=auto, or choose another name=NAME")
        return folder, None
    if resume == "auto":
        return folder, files[-1] if files else None
    path = Path(str(resume))
    if not path.is_file():
        raise ValueError(f"resume: got {resume!r}, expected auto or an existing .ckpt file")
    return folder, path


def _numbered(runs: Path, settings: dict[str, Any], resume: Any) -> str:
    found = sorted(path.name for path in runs.glob("[0-9][0-9][0-9][0-9][0-9]-*") if path.is_dir())
    if found and (resume == "auto" or "LOCAL_RANK" in os.environ):
        return found[-1]
    number = int(found[-1][:5]) + 1 if found else 0
    model = settings["model"]["_target_"].rpartition(".")[2].lower()
    return f"{number:05d}-{model}-{settings['resolution']}"


def _set_threads(settings: dict[str, Any]) -> None:
    threads = settings["threads"]
    if threads is None:
        from facegen.data.datamodule import available_cpus

        threads = max(available_cpus() // settings["processes"], 1)
    torch.set_num_threads(threads)


def _copy_weights(model: Any, source: str) -> None:
    """Start networks from another run's (or a pickle's) weights; everything else starts anew."""
    from facegen.checkpoint import checkpoint_files, network_config, read_checkpoint

    path = Path(source).expanduser()
    if path.suffix == ".pkl":
        from facegen.importers.nvidia import load_pickle

        found: Any = load_pickle(path)
        config = network_config(found["G_ema"])
        states = {"generator": found["G"], "discriminator": found["D"], "generator_ema": found["G_ema"]}
        states = {name: network.state_dict() for name, network in states.items()}
    else:
        files = [path] if path.suffix == ".ckpt" else checkpoint_files(path)
        checkpoint = read_checkpoint(files[-1]) if files else {}
        if "facegen" in checkpoint:
            whole, config = checkpoint["state_dict"], checkpoint["facegen"].get("generator", {})
            names = (*model.networks, model.averaged)
            states = {n: {k.removeprefix(f"{n}."): v for k, v in whole.items() if k.startswith(f"{n}.")} for n in names}
            if not states.get("discriminator", True):
                del states["discriminator"]  # an autoencoder's may come later
        else:
            averaged = load_any(path)  # an export, or a file of others, holds the averaged generator only
            config, states = network_config(averaged), _states(model, averaged)
    _check_axes(model, config, source)
    _check_first_stage(model, states.get(model.averaged, {}), source)
    for name, state in states.items():
        try:
            getattr(model, name).load_state_dict(state)
        except (RuntimeError, AttributeError) as error:
            reason = re.sub(r"\s+", " ", str(error))[:300]
            raise ValueError(
                f"finetune_from: the {name} of {source} does not fit this configuration ({reason})"
            ) from error


def _states(model: Any, averaged: Any) -> dict[str, Any]:
    """An averaged generator's weights for the networks of a model: of a diffusion model, those of its parts."""
    parts = {name: getattr(averaged, name, None) for name in model.networks}
    if None in parts.values():
        return dict.fromkeys((next(iter(model.networks)), model.averaged), averaged.state_dict())
    return {name: part.state_dict() for name, part in {**parts, model.averaged: averaged}.items()}


def _check_first_stage(model: Any, state: dict[str, Any], source: str) -> None:
    """Latents of one autoencoder mean nothing to another one."""
    stage = getattr(getattr(model, model.averaged), "first_stage", None)
    for name, tensor in ({} if stage is None else stage.state_dict()).items():
        other = state.get(f"first_stage.{name}")
        if other is not None and not torch.equal(tensor, other):
            raise ValueError(
                f"finetune_from: {source} makes latents of another autoencoder than model.first_stage; start from a "
                f"model of the same one, or say model.first_stage={source}"
            )


def _check_axes(model: Any, config: dict[str, Any], source: str) -> None:
    """Weights fit planes of either convention, and make no faces with the other one."""
    stored, ours = config.get("plane_axes"), getattr(getattr(model, model.averaged), "plane_axes", None)
    if stored != ours and None not in (stored, ours):
        raise ValueError(
            f"finetune_from: {source} was trained with plane_axes={stored}, this run has {ours}; "
            f"add model.generator.plane_axes={stored}"
        )


def _trainer(settings: dict[str, Any], folder: Path) -> Any:
    import lightning.pytorch as pl

    from facegen.callbacks import AtomicCheckpoints, Checkpoints, StopAtKimg, StoredAverages, Ticks
    from facegen.models.distributed import AveragedGradients

    total, snapshot = settings["total_kimg"], settings["snapshot_kimg"]
    several = settings["processes"] > 1
    strategy: Any = "auto"
    if several:
        strategy = AveragedGradients(process_group_backend="gloo" if settings["device"] == "cpu" else None)
    return pl.Trainer(
        accelerator=settings["device"],
        devices=settings["processes"],
        strategy=strategy,
        max_epochs=-1,
        callbacks=[
            StopAtKimg(total),
            Ticks(folder, total, settings["tick_kimg"]),
            _grids(settings, folder),
            *_evaluation(settings, folder, total),
            *_fitting(settings["fitting"], folder, total),
            *adherence_callbacks(settings, folder),
            *([StoredAverages(folder, total, snapshot)] if settings["model"].get("ema") == "power" else []),
            Checkpoints(folder, total, snapshot, settings["keep_checkpoints"], settings["keep_every_kimg"]),
        ],
        plugins=[AtomicCheckpoints()],
        logger=_loggers(settings, folder),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )


def _grids(settings: dict[str, Any], folder: Path) -> Any:
    """The callback that draws what a model of this kind makes or sees. ValueError for figures that it has not."""
    from facegen.callbacks import ParsingGrids, ReconstructionGrids, RenderGrids, SampleGrids
    from facegen.cli.pictures import grid_size

    kind = settings["model"]["_target_"].rpartition(".")[2]
    place = (folder, settings["total_kimg"], settings["snapshot_kimg"], *grid_size(settings["grid"], count=64))
    sees = {"Reconstruction": "a reconstruction network", "FaceParser": "a parser", "Autoencoder": "a first stage"}
    evaluated = settings["evaluation"]["every_kimg"] and kind != "Autoencoder"  # which has figures of its own
    if kind in sees and (evaluated or settings["fitting"]["regressor"]):
        raise ValueError(f"evaluation and fitting are of generators; leave them out for {sees[kind]}")
    if kind == "FaceParser":
        return ParsingGrids(*place, held_out=held_out_of(settings))
    return {"Reconstruction": RenderGrids, "Autoencoder": ReconstructionGrids}.get(kind, SampleGrids)(*place)


def _evaluation(whole: dict[str, Any], folder: Path, total_kimg: float) -> list[Any]:
    """The callback that evaluates in training, where a schedule asks for it."""
    settings = whole["evaluation"]
    counts, kimg = settings["num_images"], settings["every_kimg"]
    if not kimg:
        return []
    if len(kimg) > len(counts):
        raise ValueError(f"evaluation.every_kimg: got {kimg}, expected one for each of evaluation.num_images={counts}")
    from facegen.callbacks.evaluation import Evaluation
    from facegen.checkpoint import cache_folder
    from facegen.cli.extractors import extractor_of
    from facegen.evaluation.plan import Denoising

    schedule = dict(zip(counts, kimg, strict=False))
    extractor = extractor_of(settings["extractor"], settings["weights"])
    if whole["model"]["_target_"].endswith(".Autoencoder"):
        from facegen.callbacks import ReconstructionFigures

        faces, at_once = held_out_of(whole), settings["batch_size"]
        return [ReconstructionFigures(folder, total_kimg, schedule, extractor, faces, at_once)]
    denoising = Denoising(**{name: settings[name] for name in Denoising._fields})
    chosen = (settings["metrics"], settings["best"], settings["batch_size"], denoising)
    return [Evaluation(folder, cache_folder() / "evaluation", total_kimg, schedule, extractor, *chosen)]


def _fitting(settings: dict[str, Any], folder: Path, total_kimg: float) -> list[Any]:
    """The callback that fits a morphable model to samples, where something is named that can see faces."""
    every, names = settings["every_kimg"], ("regressor", "detector", "detector_weights", "refine", "morphable")
    named = settings["regressor"] is not None or settings["detector"] is not None
    if every is None or (every == "auto" and not named):
        return []
    if not named:
        raise ValueError(
            f"fitting.every_kimg: got {every}, and nothing that sees faces; add fitting.regressor=FOLDER or "
            "fitting.detector=dlib"
        )
    try:
        kimg = FITTING_KIMG if every == "auto" else float(every)
    except ValueError:
        raise ValueError(f"fitting.every_kimg: got {every!r}, expected auto or thousand images") from None
    from facegen.callbacks.fitting import Fitting
    from facegen.evaluation.estimator import estimator_of

    identity = None
    if settings["identity"] is not None:
        from facegen.cli.extractors import extractor_of

        identity = extractor_of(settings["identity"], settings["identity_weights"])
    estimator = estimator_of(**{name: settings[name] for name in names})
    sizes = (settings["num_faces"], settings["batch_size"])
    return [Fitting(folder, total_kimg, kimg, estimator, *sizes, identity)]


def _loggers(settings: dict[str, Any], folder: Path) -> list[Any]:
    from lightning.pytorch import loggers

    chosen: list[Any] = []
    if settings["tensorboard"]:
        chosen.append(loggers.TensorBoardLogger(folder, name="tensorboard", version=""))
    if settings["wandb"] is not None:
        if settings["wandb"] not in ("offline", "online"):
            raise ValueError(f"wandb: got {settings['wandb']!r}, expected null, offline or online")
        folder.mkdir(parents=True, exist_ok=True)
        chosen.append(
            loggers.WandbLogger(
                project=settings["wandb_project"],
                group=settings["wandb_group"],
                name=folder.name,
                save_dir=folder,
                offline=settings["wandb"] == "offline",
                config=settings,
            )
        )
    return chosen


def _prepare(folder: Path, settings: dict[str, Any], checkpoint: Path | None, data: Any, model: Any) -> None:
    """Make the run folder, say what is trained on what, and keep the configuration."""
    from facegen.checkpoint import atomic_write

    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "config.yaml") as temporary:
        temporary.write_text(OmegaConf.to_yaml(OmegaConf.create(settings)))
    millions = {name: sum(p.numel() for p in net.parameters()) / 1e6 for name, net in model.networks.items()}
    sizes = ", ".join(f"{name} {count:.2f} M parameters" for name, count in millions.items())
    print(f"{folder}: {data.num_images} images at {data.resolution} pixels, labels of {data.c_dim} numbers")
    print(f"{sizes}, batch {model.batch_size}")
    if checkpoint is not None:
        print(f"continuing from {checkpoint}")
