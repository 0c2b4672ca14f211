"""MediaPipe's Face Landmarker: 478 points that hold on turned heads too, of which 68 are handed on.

The package carries no weights: face_landmarker.task is a file that the user gives (Google, Apache-2.0,
https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker).
"""

import hashlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from facegen.curation.models import Detection, FaceModels, Landmarks, Loaded, Pixels

INSTALL = "pip install mediapipe==1.2.2 --no-deps"
TERMS = "MediaPipe Face Landmarker: code and model under Apache-2.0."
# Vertex of the mesh for each of the 68 landmarks. Eyes, lips and ridge of the nose: the vertex that anatomy names. Jaw,
# brows and nostrils: the vertex nearest to dlib's landmark on average over 254 near-frontal photographs of FFHQ and the
# London set, the same on both sides.
VERTICES = (
    *(127, 234, 93, 215, 138, 136, 149, 148, 152, 377, 378, 365, 367, 435, 323, 454, 356),  # jaw
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # brows
    *(168, 197, 195, 4, 75, 97, 2, 326, 305),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),  # lips
)
_MOST_FACES = 32
_AROUND = 0.75  # of the box: how much of the photograph around it the second look sees

Mesh = Float[np.ndarray, "478 2"]


def mediapipe_models(weights: str | Path | None) -> FaceModels:
    """The Face Landmarker of a file. Raises ValueError without one, ModuleNotFoundError without the package."""
    if find_spec("mediapipe") is None:
        raise ModuleNotFoundError(f"detector=mediapipe needs the package mediapipe; {INSTALL}")
    path = Path(str(weights)).expanduser().absolute()
    if weights is None or not path.is_file():
        raise ValueError(f"weights: got {weights}, expected the path of face_landmarker.task for detector=mediapipe")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return FaceModels(f"mediapipe {version('mediapipe')}, {path.name} {digest}", TERMS, _load, (str(path),))


def _load(path: str) -> Loaded:
    import mediapipe  # pyright: ignore[reportMissingImports]
    from mediapipe.tasks.python import BaseOptions, vision  # pyright: ignore[reportMissingImports]

    options = vision.FaceLandmarkerOptions(BaseOptions(model_asset_path=path), num_faces=_MOST_FACES)
    landmarker = vision.FaceLandmarker.create_from_options(options)

    def meshes(pixels: Pixels) -> list[Mesh]:
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        return [_in_pixels(face, pixels.shape) for face in landmarker.detect(picture).face_landmarks]

    def detect(pixels: Pixels, path: Path) -> list[Detection]:
        return [Detection((*mesh.min(axis=0).tolist(), *mesh.max(axis=0).tolist()), 1.0) for mesh in meshes(pixels)]

    def landmarks(pixels: Pixels, path: Path, box: tuple[float, float, float, float]) -> Landmarks:
        """A second look at the face alone sees more of it than the first one at the whole photograph."""
        left, upper, right, lower = _window(box, pixels.shape)
        found = [mesh + np.array([left, upper]) for mesh in meshes(pixels[upper:lower, left:right])]
        if not found:
            raise ValueError("no landmarks found in the box")
        centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
        nearest = min(found, key=lambda mesh: float(np.linalg.norm(mesh.mean(axis=0) - centre)))
        return nearest[list(VERTICES)]

    return Loaded(detect, landmarks)


def _in_pixels(face: Any, shape: tuple[int, ...]) -> Mesh:
    return np.array([(point.x, point.y) for point in face]) * (shape[1], shape[0])


def _window(box: tuple[float, float, float, float], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    reach = _AROUND * max(box[2] - box[0], box[3] - box[1])
    low, high = np.maximum(np.array(box[:2]) - reach, 0), np.minimum(np.array(box[2:]) + reach, (shape[1], shape[0]))
    (left, upper), (right, lower) = low.astype(int).tolist(), np.ceil(high).astype(int).tolist()
    return left, upper, right, lower
