"""What `facegen fit` and `facegen data clean` share: their settings, and what they say of fits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facegen.cli.sampling import pick_device
from facegen.curation import publish
from facegen.curation.fitting.files import Outputs, check_outputs
from facegen.curation.fitting.fitters import fitting_of, loaded_fitter
from facegen.curation.fitting.run import Fitted, Pictures, fit_pictures
from facegen.curation.fitting.stage import SCORE
from facegen.curation.models import named_models

_LEAST_SURE = 3  # faces that are named


def fit(settings: dict[str, Any], pictures: Pictures, out: Path, outputs: Outputs) -> Fitted:
    """Fit pictures as the settings of a command say. Raises ValueError for settings out of range."""
    check_outputs(outputs)
    fitting = fitting_of(settings["morphable"], settings["photometric"], settings["noise"], settings["start"])
    number(settings, "sheet", 0)  # before hours of fitting
    counts = {"batch_size": number(settings, "batch_size", 1), "workers": number(settings, "workers", 0)}
    device = str(pick_device(settings["device"]))
    needs_detector = any(row.get("landmarks68") is None for row in pictures.rows)
    models = named_models(settings["detector"], settings["weights"]) if needs_detector else None
    model_terms = loaded_fitter(fitting, device).model.terms
    if not out.exists():
        for terms in (models.terms if models else "", f"Morphable model: {model_terms}" if model_terms else ""):
            print(terms, end="\n" if terms else "")
    return fit_pictures(pictures, out, fitting, models, outputs, device, **counts)


def number(settings: dict[str, Any], name: str, least: int) -> int:
    """A whole number of at least `least`."""
    value = settings[name]
    if type(value) is not int or value < least:
        raise ValueError(f"{name}: got {value!r}, expected a whole number of at least {least}")
    return value


def figures(found: Fitted, out: Path) -> list[str]:
    """Lines about what was computed and how well it fits."""
    done = [f"{stage} {count}" for stage, count in found.computed.items() if count]
    fitted = found.fitted
    lines = [f"computed: {', '.join(done)}" if done else "nothing to compute: everything was known"]
    lines.append(f"{out}: {len(found.faces)} pictures, {len(fitted)} fitted")
    if len(fitted):
        least = fitted.take(np.argsort(-fitted[SCORE].to_numpy())[:_LEAST_SURE])
        named = zip(least["id"].to_pylist(), least[SCORE].to_pylist(), strict=True)
        lines.append(f"highest scores, look at these: {', '.join(f'{name} {score:.2f}' for name, score in named)}")
        error = float(np.median(fitted["landmark_error"].to_numpy()))
        half = float(np.median(fitted["yaw_interval_degrees"].to_numpy()))
        lines.append(f"median distance of landmarks {error:.2f} pixels of 224; yaw known to ±{half:.1f}° (90 %)")
    return lines


def why_left(left: Sequence[tuple[str, str, str]], out: Path) -> str:
    """The table of reasons, where there are some."""
    if not left:
        return "nothing was left out"
    return f"Left out ({out / 'rejected.csv'}):\n{publish.reason_table(left)}"
