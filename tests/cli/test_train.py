"""A run that a scheduler ends: SIGTERM reaches every process of the job at once."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from facegen.checkpoint import checkpoint_files

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
    command = [sys.executable, "-m", "facegen", "train", "data=folder", "data.root=photos", *TINY.split()]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("tick 3 "):
            os.killpg(process.pid, signal.SIGTERM)
    watchdog.cancel()
    assert process.wait() == 0, "".join(lines)
    assert "resume=auto continues" in "".join(lines)
    assert len(checkpoint_files(tmp_path / "runs" / "r")) == 1
