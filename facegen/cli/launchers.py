"""Jobs of a study through a Hydra launcher: submitit_slurm on a cluster, joblib, ray, or Hydra's own `basic`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from facegen.cli.overrides import quote
from facegen.study.jobs import Execute, Job, run_job

_PACKAGES = {"submitit": "hydra-submitit-launcher", "joblib": "hydra-joblib-launcher", "ray": "hydra-ray-launcher"}


def launched(name: str, settings: Sequence[str], folder: Path) -> Execute:
    """What hands all jobs of a stage to the launcher `name`, and waits for them.

    settings: of the launcher, `partition=gpu`; folder: where it keeps its files (SLURM's logs).
    Raises ValueError, with the package to install, where there is no such launcher.
    """
    _launcher(name, settings, folder)  # a mistake is answered before anything is done

    def execute(jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        print(f"{len(jobs)} jobs to {name}: " + "; ".join(job.title for job in jobs), flush=True)
        overrides = [[f"+title={quote(job.title)}", f"+words=[{','.join(map(quote, job.words))}]"] for job in jobs]
        returns = _launcher(name, settings, folder).launch(overrides, initial_job_idx=0)
        for each in returns:
            each.return_value  # noqa: B018 - raises what the job raised

    return execute


def run_words(cfg: DictConfig) -> None:
    """One job, on whatever machine the launcher has chosen."""
    run_job([str(word) for word in cfg.words], str(cfg.title))


def _launcher(name: str, settings: Sequence[str], folder: Path) -> Any:
    with hydra.initialize_config_module("facegen.configs", version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        known = loader.get_group_options("hydra/launcher")
        if name not in known:
            package = _PACKAGES.get(name.partition("_")[0])
            advice = f"pip install {package}" if package else "install the package of its Hydra plugin"
            raise ValueError(f"launcher: got {name!r}, expected one of: {', '.join(known)}; {advice}")
        overrides = [
            f"hydra/launcher={name}",
            "hydra/job_logging=none",
            "hydra/hydra_logging=none",
            "hydra.output_subdir=null",
            f"hydra.sweep.dir={quote(str(folder))}",
            "hydra.sweep.subdir=.",
            *(f"hydra.launcher.{word}" for word in settings),
        ]
        cfg = loader.load_configuration(None, overrides, RunMode.MULTIRUN, from_shell=False)
        context = HydraContext(config_loader=loader, callbacks=_callbacks(cfg))
        return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=run_words, config=cfg)


def _callbacks(cfg: DictConfig) -> Any:
    from hydra._internal.callbacks import Callbacks  # HydraContext has no public way to be made

    return Callbacks(cfg)
