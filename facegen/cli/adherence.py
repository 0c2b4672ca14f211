"""Settings of adherence, in training and of finished checkpoints: judges by name, faces that are kept out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegen.cli import schema

EVERY_KIMG = 4.0  # between looks at samples, where nothing else is said


def judges_of(parser: str | None, regressor: str | None, morphable: str | None = None) -> Any:
    """The judges in folders. Raises ValueError for folders of something else."""
    from facegen.evaluation.adherence_sides import Judges, load_parser
    from facegen.evaluation.estimator import estimator_of

    estimator = None if regressor is None else estimator_of(Path(regressor).expanduser(), morphable=morphable)
    return Judges(None if parser is None else load_parser(Path(parser).expanduser()), estimator)


def adherence_callbacks(settings: Mapping[str, Any], folder: Path) -> list[Any]:
    """The callback that judges samples in training, where judges are named or a number is said."""
    own = settings["adherence"]
    every, named = own["every_kimg"], own["parser"] is not None or own["regressor"] is not None
    if every is None or (every == "auto" and not named):
        return []
    try:
        kimg = EVERY_KIMG if every == "auto" else float(every)
    except ValueError:
        raise ValueError(f"adherence.every_kimg: got {every!r}, expected auto or thousand images") from None
    from facegen.callbacks.adherence import Adherence
    from facegen.evaluation.plan import Denoising

    judges = judges_of(own["parser"], own["regressor"], own["morphable"])
    how = Denoising(steps=own["steps"], guidance=own["guidance"])
    sizes = (own["num_faces"], own["batch_size"])
    return [Adherence(folder, settings["total_kimg"], kimg, judges, held_out_of(settings), *sizes, how)]


def held_out_of(settings: Mapping[str, Any]) -> Any:
    """The dataset of the faces that are kept out of training, or None. ValueError for settings that there are not."""
    from hydra.utils import instantiate

    changes = settings["held_out"]
    if changes is None:
        return None
    if not isinstance(changes, dict):
        expected = "settings of data, as in {faces_seed: 7, num_images: 500}"
        raise ValueError(f"held_out: got {changes!r}, expected {expected}")
    described = {**settings["data"], **changes}
    schema.check_targets(described, "held_out")
    return instantiate(described).dataset
