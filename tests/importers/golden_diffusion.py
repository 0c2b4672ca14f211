"""Files of the diffusion reference: found by what they are, so that another root with other models serves as well."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from facegen.diffusion.process import Process
from facegen.diffusion.sampling import Sampling, sample, scheduler
from tests.golden import golden_root

ROOT = golden_root().parent / "golden_diffusion"
REASON = f"reference numbers not found: {ROOT} does not exist; set FACEGEN_GOLDEN to the folder above it"
ENDING = ".io.safetensors"
# README, tolerances
FORWARD: dict[str, Any] = {"rtol": 0.0, "atol": 2e-5}
CONTROL: dict[str, Any] = {"rtol": 0.0, "atol": 3e-5}
LOSS: dict[str, Any] = {"rtol": 1e-5, "atol": 0.0}
SCHEDULE: dict[str, Any] = {"rtol": 0.0, "atol": 2e-6}
TRAJECTORY, GRADIENT = 1e-5, 1e-4  # of the largest number


def io_files() -> list[Path]:
    return sorted(ROOT.glob(f"*{ENDING}"))


def keys_of(path: Path) -> list[str]:
    with safe_open(path, "pt") as file:
        return list(file.keys())


def cases(marker: str, elsewhere: Sequence[str] = ()) -> list[Any]:
    """One parameter for each stored key of the files that have the key `marker`, but for those tested elsewhere."""
    if not ROOT.exists():
        return [pytest.param(None, None, id="absent", marks=pytest.mark.skip(reason=REASON))]
    chosen = [path for path in io_files() if marker in keys_of(path)]
    return [
        pytest.param(path, key, id=f"{path.name.removesuffix(ENDING)}-{key}")
        for path in chosen
        for key in keys_of(path)
        if not key.startswith(tuple(elsewhere))
    ]


@cache
def stored(path: Path) -> Mapping[str, Tensor]:
    return load_file(path)


def weights_of(path: Path) -> Path:
    """The file of weights that belongs to one of inputs and outputs."""
    stem = path.name.removesuffix(ENDING)
    files = [file for file in ROOT.glob(f"{stem}.*") if file.suffix in (".ckpt", ".safetensors")]
    (found,) = [file for file in files if not file.name.endswith(ENDING)]
    return found


def close_to_largest(found: Tensor, expected: Tensor, part: float) -> None:
    """Equal up to a part of the largest number."""
    torch.testing.assert_close(found, expected, rtol=0, atol=part * float(expected.abs().max()))


def tags(io: Mapping[str, Tensor]) -> set[str]:
    """Names of the trajectories, such as `ddim.S10_eta0.0`."""
    return {key.rpartition(".")[0] for key in io if key.startswith("ddim.") and key.endswith(".timesteps")}


def words_of(tag: str) -> tuple[int, dict[str, float]]:
    """Number of steps, and the numbers after the words of a tag: `S10_cfg3.0_control` -> 10, {cfg: 3.0, control: 1}."""
    first, *rest = tag.removeprefix("ddim.").split("_")
    found: dict[str, float] = {}
    for word in rest:
        name = word.rstrip("0123456789.")
        found[name] = float(word[len(name) :] or 1)
    return int(first.removeprefix("S")), found


class Trajectory:
    """DDIM as the package samples: times, what is seen clean at each of them, and the end."""

    def __init__(self, predict: Any, io: Mapping[str, Tensor], tag: str, process: Process) -> None:
        count, words = words_of(tag)
        self.times: list[int] = []
        self.clean: list[Tensor] = []
        self.process = process
        self.count, self.eta = count, words.get("eta", 0.0)

        def observed(x: Tensor, t: Tensor) -> Tensor:
            prediction = predict(x, t)
            self.times.append(int(t))
            self.clean.append(process.clean(prediction, x, t.expand(len(x))))
            return prediction

        noise: Iterator[Tensor] = iter(io.get(f"{tag}.noise", ()))
        if process.num_steps % count == 0:
            how = Sampling("ddim", count, eta=self.eta)
            self.out = sample(observed, io["ddim.x_T"], process, how, randn=lambda shape: next(noise))
        else:  # the reference takes one more step than it was asked for, which samplers of diffusers do not
            self.out = self._published(observed, io["ddim.x_T"], io[f"{tag}.timesteps"], noise)

    def _published(self, predict: Any, x: Tensor, times: Tensor, noise: Iterator[Tensor]) -> Tensor:
        steps = scheduler(self.process, "ddim")
        steps.set_timesteps(self.count)
        for t in times:
            more = {"variance_noise": next(noise)} if self.eta else {}
            x = steps.step(predict(x, t), t, x, eta=self.eta, **more).prev_sample
        return x

    def levels(self) -> tuple[Tensor, Tensor, Tensor]:
        """Signal at each step and at the next, and the deviation of what is added (README, formulas)."""
        left = self.process.alphas_cumprod
        now = left[self.times]
        after = torch.cat([left[self.times[1:]], left[:1]])
        return now, after, self.eta * ((1 - after) / (1 - now) * (1 - now / after)).sqrt()
