"""The stage that finds cameras: a morphable model fitted to the landmarks of each face, as EG3D and LPFF have it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float

from facegen.curation.faces import vector
from facegen.curation.fitting.fitters import Fitting, loaded_fitter
from facegen.curation.frames import Frames, face_frames
from facegen.curation.stages import REASON, Row, Stage
from facegen.data.poses import yaw_pitch_degrees
from facegen.geometry.alignment_similarity import DEEP3D_RESCALE, EG3D_CENTRE, EG3D_OUTPUT, EG3D_RESCALE
from facegen.geometry.cameras import from_coefficients, reconstruction_pose, theta_phi, to_label_world
from facegen.morphable.fitting import Fit
from facegen.morphable.model import MorphableModel

_STEADY = slice(27, 55)  # nose, eyes and upper lip
_PIXELS = EG3D_RESCALE / DEEP3D_RESCALE * EG3D_OUTPUT / EG3D_CENTRE  # of the 512 crop, for one of the fitted crop
_QUALITY = ("camera_distance", "reprojection_error", "fit_score", "crop_side", "padding")
_NUMBERS = ("yaw_degrees", "pitch_degrees", *_QUALITY)


def camera_stage(fitting: Fitting, method: str) -> Stage:
    """The camera of the EG3D crop, how well the face fits, and how much of that crop the photograph holds.

    `camera_distance`: from the origin before the camera was put on EG3D's sphere. `reprojection_error`: mean distance
    in pixels of the 512 crop between the landmarks of nose, eyes and upper lip and the model's. `model_landmarks`: the
    68 points of the fitted head in the world of camera labels.
    """
    schema = pa.schema([("camera", vector(25)), ("model_landmarks", vector(204))])
    for name, kind in [(name, pa.float64()) for name in ("theta", "phi")] + [(name, pa.float32()) for name in _NUMBERS]:
        schema = schema.append(pa.field(name, kind))
    schema = schema.append(pa.field("camera_method", pa.string()))
    settings = {"fitting": fitting._asdict(), "method": method}
    reads = ("width", "height", "landmarks68")
    return Stage("camera", 2, _cameras, reads, schema, settings, chunk=128, together=True)


def _cameras(rows: Sequence[Row], fitting: dict[str, Any], method: str) -> list[Row]:
    """1. The frame of each realigned picture, and in it Deep3DFaceRecon's. 2. One fit of all. 3. The label of each."""
    found: list[Row] = [{} for _ in rows]
    frames: dict[int, Frames] = {}
    landmarks = []
    for number, row in enumerate(rows):
        points = np.reshape(row["landmarks68"], (68, 2)).astype(np.float64)
        try:
            frames[number] = face_frames(points, (row["width"], row["height"]))
            landmarks.append(frames[number].to_deep3d(points))
        except ValueError as error:
            found[number] = {REASON: f"no camera: {error}"}
    if not landmarks:
        return found
    tools = loaded_fitter(Fitting(**fitting))
    fit = tools.fit(None, torch.from_numpy(np.stack(landmarks)).float())
    for place, (number, frame) in enumerate(frames.items()):
        size = (rows[number]["width"], rows[number]["height"])
        padding = {"crop_side": frame.side(), "padding": frame.missing(*size), "camera_method": method}
        found[number] = _columns(tools.model, fit, place, landmarks[place]) | padding
    return found


def _columns(model: MorphableModel, fit: Fit, place: int, landmarks: Float[np.ndarray, "68 2"]) -> Row:
    """Label, angles and figures of one face of a fit to landmarks."""
    coefficients = fit.coefficients[place : place + 1]
    if not bool(coefficients.isfinite().all()):
        return {REASON: "no camera: no head fits these landmarks"}
    parts = model.layout.split(coefficients)
    pose = parts.angle.double(), parts.translation.double()
    label = from_coefficients(*pose).float()
    theta, phi = theta_phi(label.double())[0].tolist()  # the angles are those of the numbers that are stored
    yaw, pitch = yaw_pitch_degrees(label.numpy())[0].tolist()
    shape = model.shape_of(parts.identity, parts.expression)[0, model.landmarks]
    errors = np.linalg.norm(fit.landmarks[place].double().numpy() - landmarks, axis=1)
    return {
        "camera": label[0].tolist(),
        "model_landmarks": to_label_world(shape).flatten().tolist(),
        **{"theta": theta, "phi": phi, "yaw_degrees": yaw, "pitch_degrees": pitch},
        "camera_distance": float(reconstruction_pose(*pose)[0, :3, 3].norm()),
        "reprojection_error": float(errors[_STEADY].mean() * _PIXELS),
        "fit_score": float(fit.score[place]),
    }
