"""The figures of `facegen train fitting.regressor=...` for checkpoints of a run that was trained without them.

    python experiments/in_loop/afterwards.py RUN REGRESSOR OUT

The callback itself looks at each checkpoint in turn, with the run's data and seed, so that
the rows are those that training would have written. Writes OUT/fitting.jsonl, OUT/log.txt and OUT/fits/.
"""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from facegen.callbacks.fitting import Fitting
from facegen.checkpoint import checkpoint_files, load
from facegen.data.synthetic import synthetic_data
from facegen.evaluation.estimator import estimator_of


def main() -> None:
    """Look at an untrained network of the first checkpoint's kind, then at every checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("regressor")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = yaml.safe_load((arguments.run / "config.yaml").read_text())
    own = {key: value for key, value in settings["data"].items() if key not in ("_target_", "workers")}
    trainer: Any = SimpleNamespace(is_global_zero=True, datamodule=synthetic_data(**own, workers=0), loggers=[])
    arguments.out.mkdir(parents=True, exist_ok=True)
    callback = Fitting(arguments.out, 1e9, 0.001, estimator_of(arguments.regressor))
    for number, path in enumerate(checkpoint_files(arguments.run)):
        module: Any = SimpleNamespace(
            generator_ema=load(path),
            images_seen=round(float(path.stem) * 1000),
            batch_size=settings["batch_size"],
            seed=settings["seed"],
            device=torch.device("cpu"),
        )
        if number == 0:
            callback.on_train_start(trainer, module)
        callback.on_train_batch_end(trainer, module)


if __name__ == "__main__":
    main()
