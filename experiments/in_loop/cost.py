"""What a look at the samples costs, in CPU seconds beside those of training: robust where other programs run.

    python experiments/in_loop/cost.py REGRESSOR [--model eg3d_tiny] [--kimg 0.256]

Trains from the beginning on one thread, with looks at the start and at the end, and prints seconds of each.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from facegen.callbacks.fitting import Fitting
from facegen.cli import main as facegen
from facegen.cli.train import FITTING_KIMG
from facegen.models import EG3D

BATCH = 8  # of eg3d_tiny and eg3d_quickstart
spent: dict[str, list[float]] = {"look": [], "step": []}


def timed(owner: Any, name: str, kind: str) -> None:
    """Note the CPU seconds of each call of a method."""
    method = getattr(owner, name)

    def wrapper(*arguments: Any, **settings: Any) -> Any:
        begun = time.process_time()
        result = method(*arguments, **settings)
        spent[kind].append(time.process_time() - begun)
        return result

    setattr(owner, name, wrapper)


def main() -> None:
    """Train, look, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("regressor")
    parser.add_argument("--model", default="eg3d_tiny")
    parser.add_argument("--kimg", type=float, default=0.256)
    arguments = parser.parse_args()
    timed(Fitting, "_look_at_generated", "look")
    timed(EG3D, "training_step", "step")
    with tempfile.TemporaryDirectory() as runs:
        words = [f"model={arguments.model}", "data.poses=uniform", "data.num_images=10000", "data.mirror=true"]
        words += [f"fitting.regressor={arguments.regressor}", f"total_kimg={arguments.kimg}", f"runs_dir={runs}"]
        facegen(["train", *words, "threads=1", "workers=1", "device=cpu", "name=cost"])
    per_kimg = 1000 * sum(spent["step"]) / (len(spent["step"]) * BATCH)
    for number, look in enumerate(spent["look"]):
        share = look / (look + per_kimg * FITTING_KIMG)
        print(
            f"look {number}: {look:.1f} s, training {per_kimg:.0f} s per kimg: {share:.1%} every {FITTING_KIMG:g} kimg"
        )


if __name__ == "__main__":
    main()
