"""`facegen study`: several trainings, their evaluations, one comparison."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.cli import compose
from facegen.cli.commands import commands
from facegen.study.reading import check_seeds, read_study, words_of

CONFIG = "study"
POSITIONAL = "study"
HELP = """\
Train several generators, evaluate them alike, and compare them on one page.

Reads FOLDER/study.yaml: the question, the runs (overrides of `facegen train`), the evaluations (of `facegen evaluate`)
and the pictures. Trains what is missing, evaluates, and writes results.json and report.html. Run again, it does only
what changed: a run whose configuration is another one is trained anew, in a folder of its own; a killed training
continues.

Examples:
  facegen study experiments/quickstart
  facegen study experiments/quickstart dry=true               the plan: run folders, commands, hardware, time
  facegen study experiments/quickstart seeds=[0] train='total_kimg=0.1' evaluate='num_images=64'
  facegen study experiments/quickstart wandb=offline tensorboard=true
  facegen study experiments/lpff_vs_ffhq launcher=submitit_slurm launcher_settings='partition=gpu gpus_per_node=8'

The smallest study.yaml:
  question: Is more R1 better?
  seeds: [0, 1, 2]
  train: [data=synthetic, total_kimg=20]
  runs:
    baseline: {overrides: [model.r1_gamma=0.2]}
    more: {overrides: [model.r1_gamma=1]}
  evaluate:
    fid: num_images=1000

Differences are paired over the seeds and have 95 % intervals; with one seed there are none."""


def run(cfg: DictConfig) -> None:
    """Do what of the study is not done, and say where the report is."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    study = read_study(Path(str(settings["study"])).expanduser())
    from facegen.study import conduct  # it imports PyTorch, which a mistake in the YAML need not wait for
    from facegen.study.side_by_side import places, side_by_side

    seeds = settings["seeds"]
    options = conduct.Options(
        seeds=study.seeds if seeds is None else check_seeds(seeds if isinstance(seeds, list) else [seeds]),
        train=words_of(settings["train"], "train"),
        evaluate=words_of(settings["evaluate"], "evaluate"),
        wandb=settings["wandb"],
        wandb_project=settings["wandb_project"],
        tensorboard=settings["tensorboard"],
    )
    if settings["dry"]:
        print(conduct.describe(study, conduct.plan(study, resolved, options), options))
        return
    execute = side_by_side(places(str(settings["at_once"])))
    if settings["launcher"] is not None:
        from facegen.cli.launchers import launched

        words = words_of(settings["launcher_settings"], "launcher_settings")
        execute = launched(str(settings["launcher"]), words, study.folder / "jobs")
    print(f"report: {conduct.conduct(study, resolved, options, execute)}")


def resolved(command: str, overrides: Sequence[str]) -> Mapping[str, Any]:
    """The resolved settings of another command; ValueError for what that command would refuse."""
    cfg = compose.checked(commands()[command], overrides)
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    return settings
