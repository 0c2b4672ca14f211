"""`facegen data synthesize`: make a synthetic source."""

import time
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.data.synthetic import synthesize

CONFIG = "data_synthesize"
HELP = """\
Make synthetic faces with known camera, shape, expression, colours, light, parts and landmarks.

Heads are drawn from a procedural morphable model and rendered on the CPU. The folder is a source like any other:
images, camera labels in dataset.json as EG3D writes them, and the table faces.lance with 68 landmarks, the path of a
mask and the true coefficients of each face. Face n depends on the settings and n only. Interrupted? The same command
goes on.

poses: ffhq (theta 90±15.5, phi 84.8±7.4 degrees), large (yaw beyond 30 degrees), uniform.

Examples:
  facegen data synthesize root=~/synthetic                                  10000 faces at 128 pixels
  facegen data synthesize root=~/profiles poses=large num_images=2000       what a set of large poses adds
  facegen train data=folder data.root=~/synthetic                           train on them
  facegen train data=synthetic                                              the same, made in a cache on first use"""


def run(cfg: DictConfig) -> None:
    """Make the source and say where it is."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    workers = settings["workers"]
    if workers is not None and (type(workers) is not int or workers < 0):
        raise ValueError(f"workers: got {workers!r}, expected 0 or more, or null")
    started = time.monotonic()
    root = synthesize(**settings)
    seconds = time.monotonic() - started
    print(f"{root}: {settings['num_images']} faces at {settings['resolution']} pixels, {seconds:.0f} s")
    print(f"Train on it: facegen train data=folder data.root={root}")
