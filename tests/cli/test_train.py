"""A run that a scheduler ends: SIGTERM reaches every process of the job at once."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from PIL import Image

from facegen.checkpoint import checkpoint_files
from tests.programs import start

TINY = (
    "resolution=16 batch_size=4 tick_kimg=0.004 snapshot_kimg=1000 grid=2x2 workers=2 data.cache=false device=cpu "
    "name=r "
    "model.generator={z_dim:16,w_dim:16,synthesis_kwargs:{channel_base:128,channel_max:8}} "
    "model.discriminator={channel_base:128,channel_max:8}"
)


def test_sigterm_to_all_processes_saves(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for index in range(8):
        pixels = np.random.default_rng(index).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{index}.png")
    log = tmp_path / "log.txt"
    program = start(["train", "data=folder", "data.root=photos", *TINY.split()], log, tmp_path)
    until = time.monotonic() + 120
    while "tick 3 " not in log.read_text() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(program.pid or 0, signal.SIGTERM)
    program.join(120)
    assert program.exitcode == 0, log.read_text()
    assert "resume=auto continues" in log.read_text()
    assert len(checkpoint_files(tmp_path / "runs" / "r")) == 1
