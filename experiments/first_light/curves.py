"""Draw the curves of a run: python curves.py RUN/metrics.jsonl curves.png (needs matplotlib, of the `dev` extra)."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = {
    "losses": ["loss/G/loss", "loss/D/loss"],
    "mean signs of the logits": ["loss/signs/real", "loss/signs/fake"],
    "R1 penalty": ["loss/r1_penalty"],
    "gradient norms": ["grad_norm/Gmain", "grad_norm/Dmain"],
    "augmentation p": ["augment"],
    "seconds per kimg": ["sec/kimg"],
}


def main(source: Path, target: Path) -> None:
    """One panel per group of columns, over thousands of images."""
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    figure, axes = plt.subplots(2, 3, figsize=(13, 6.5), layout="constrained")
    for axis, (title, names) in zip(axes.flat, PANELS.items(), strict=True):
        for name in names:
            points = [(row["kimg"], row[name]) for row in rows if name in row]
            axis.plot(*zip(*points, strict=True), label=name)
        axis.set_title(title)
        axis.set_xlabel("kimg")
        axis.grid(alpha=0.3)
        if len(names) > 1:
            axis.legend()
    figure.savefig(target, dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
