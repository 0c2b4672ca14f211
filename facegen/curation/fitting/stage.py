"""The stage that fits: a batch of pictures with landmarks to coefficients, cameras, scores, and files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from facegen.curation.faces import vector
from facegen.curation.fitting.crops import Crop, read_crop
from facegen.curation.fitting.files import Outputs, write_files
from facegen.curation.fitting.fitters import Fitting, loaded_fitter
from facegen.curation.fitting.panels import head_degrees
from facegen.curation.photographs import PLACE
from facegen.curation.stages import REASON, Rejection, Row, Stage
from facegen.geometry.cameras import from_coefficients
from facegen.morphable.fitting import Fit

ANGLES = ("yaw_degrees", "pitch_degrees", "roll_degrees")
INTERVALS = ("yaw_interval_degrees", "pitch_interval_degrees", "roll_interval_degrees")
SCORE = "fit_score"
_NUMBERS = (*ANGLES, *INTERVALS, SCORE, "fit_loss", "landmark_error", "missing")


def fit_stage(
    fitting: Fitting, outputs: Outputs, root: str, out: str, size: int, device: str, batch_size: int
) -> Stage:
    """Fit faces, `batch_size` at once, and write the files of each. `size`: how many coefficients the model has."""
    columns = [("coefficients", vector(size)), ("camera", vector(25)), ("landmarks", vector(136))]
    columns += [(name, pa.float32()) for name in _NUMBERS]
    schema = pa.schema([*columns, ("converged", pa.bool_()), ("iterations", pa.int32())])
    settings = {"fitting": fitting._asdict(), "outputs": outputs._asdict()}
    context = {"root": root, "out": out, "device": device}
    reads = ("id", *PLACE, "landmarks68")
    return Stage("fit", 1, _fit, reads, schema, settings, context, chunk=batch_size, together=True)


def _fit(
    rows: Sequence[Row], fitting: dict[str, Any], outputs: dict[str, Any], root: str, out: str, device: str
) -> list[Row]:
    """1. Crops of all faces; those without go no further. 2. One fit of all crops. 3. The files of each."""
    found: list[Row] = [{} for _ in rows]
    crops: dict[int, Crop] = {}
    for number, row in enumerate(rows):
        try:
            crops[number] = read_crop(row, root, sharp=bool(outputs["uv"]))
        except Rejection as error:
            found[number] = {REASON: str(error)}
    if not crops:
        return found
    tools = loaded_fitter(Fitting(**fitting), device)
    images = torch.from_numpy(np.stack([crop.image for crop in crops.values()])).permute(0, 3, 1, 2)
    landmarks = torch.from_numpy(np.stack([crop.landmarks for crop in crops.values()])).float()
    fit = tools.fit(images, landmarks)
    for place, (number, crop) in enumerate(crops.items()):
        found[number] = columns(fit, place, crop)
        if REASON not in found[number]:
            write_files(tools.model, fit, place, crop, Path(out), rows[number]["id"], Outputs(**outputs))
    return found


def columns(fit: Fit, place: int, crop: Crop) -> Row:
    """What a table keeps of one face of a fit. `camera` is the label of EG3D's crop of the same picture."""
    coefficients = fit.coefficients[place : place + 1]
    if not bool(coefficients.isfinite().all()):
        return {REASON: "fit failed: no finite coefficients", SCORE: 1.0, "missing": crop.missing}
    landmarks = fit.landmarks[place].cpu().double().numpy()
    numbers = [*head_degrees(fit, place), *fit.interval_degrees[place].tolist(), float(fit.score[place])]
    error = float(np.linalg.norm(landmarks - crop.landmarks, axis=1).mean())
    numbers += [float(fit.loss[place]), error, crop.missing]
    return {
        "coefficients": coefficients[0].tolist(),
        "camera": camera(coefficients.cpu()).tolist(),
        "landmarks": crop.frame.to_photograph(landmarks).ravel().tolist(),
        **dict(zip(_NUMBERS, numbers, strict=True)),
        "converged": bool(fit.converged[place]),
        "iterations": int(fit.iterations[place]),
    }


def camera(coefficients: torch.Tensor) -> torch.Tensor:
    """The label that EG3D gives one face with these coefficients, of which pose and translation are used."""
    angle, translation = coefficients[:, -33:-30].double(), coefficients[:, -3:].double()
    return from_coefficients(angle, translation)[0].float()
