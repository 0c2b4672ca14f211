"""Curves of fitting.jsonl: python experiments/in_loop/curves.py OUT.png NAME=RUN/fitting.jsonl ..."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = {
    "pose_degrees": "pose error, median, degrees",
    "depth": "depth error (EG3D), 1 is flat",
    "reprojection_interocular": "reprojection, share of eyes' distance",
    "identity_coefficients_ratio": "identity: same face / other face",
    "failed": "share of failed fits",
}


def rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    """Draw one panel for each figure; dotted: what real pictures give."""
    out, *words = sys.argv[1:]
    figure, axes = plt.subplots(1, len(PANELS), figsize=(4 * len(PANELS), 3.4), layout="constrained")
    for word in words:
        name, _, path = word.partition("=")
        found = rows(Path(path))
        made, real = ([row for row in found if row["pictures"] == kind] for kind in ("generated", "real"))
        for axis, (key, title) in zip(axes, PANELS.items(), strict=True):
            shown = [row for row in made if key in row]
            (line,) = axis.plot([row["kimg"] for row in shown], [row[key] for row in shown], "o-", ms=3, label=name)
            if real and key in real[0]:
                axis.axhline(real[0][key], ls=":", color=line.get_color())
            axis.set(title=title, xlabel="thousand images")
    for axis in axes:
        axis.set_ylim(bottom=0)
    axes[0].legend()
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    main()
