"""Constructor arguments that a file of weights may ask for: in proportion to what it holds, and plain."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from facegen.rendering.volume import VolumeOptions

_PARTS = ("synthesis_kwargs", "mapping_kwargs", "block_kwargs", "epilogue_kwargs", "sr_kwargs")
_MAX_NUMBER = 2**20  # of an argument: far above any width or resolution
_MAX_SAMPLES = 4096  # on a ray
_MAX_RENDERING = 1024  # pixels: features of larger renderings would fill a memory
_MEMORY_LAYOUT = ("channels_last", "fp16_channels_last")  # arguments that change no number


class Allowance(TorchFunctionMode):
    """Refuse to make more numbers than a file can fill, whatever sizes it asks for."""

    def __init__(self, numel: int) -> None:
        self.left = numel

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.randn, torch.zeros, torch.ones, torch.full, torch.empty) and args:
            self.left -= math.prod(args[0] if isinstance(args[0], (list, tuple)) else args)
            if self.left < 0:
                raise ValueError("the stored arguments describe a larger network than the file holds")
        return func(*args, **(kwargs or {}))


def _checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of one level in reasonable proportions, without those that only choose a memory layout."""
    for name, value in arguments.items():
        if isinstance(value, int) and value > _MAX_NUMBER:
            raise ValueError(f"{name}={value} is out of all proportion")
    return {name: value for name, value in arguments.items() if name not in _MEMORY_LAYOUT}


def accepted(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Official constructor arguments as ours take them; ValueError for what is out of all proportion."""
    parts = {name: _checked(arguments[name]) for name in _PARTS if isinstance(arguments.get(name), Mapping)}
    if "rendering_kwargs" in arguments:
        parts["rendering_kwargs"] = rendering_settings(arguments["rendering_kwargs"])
    return {**_checked(arguments), **parts}


def rendering_settings(stored: Any) -> dict[str, Any]:
    """EG3D's `rendering_kwargs` as plain values; ValueError for others, and for samples out of all proportion."""
    if not isinstance(stored, Mapping):
        raise ValueError(f"rendering_kwargs is a {type(stored).__name__}, expected a dictionary")
    if not all(isinstance(name, str) for name in stored):
        raise ValueError("rendering_kwargs has a name that is no text")
    settings = {name: _plain(name, value) for name, value in _checked(stored).items()}
    for name in ("depth_resolution", "depth_resolution_importance"):
        bounded(name, settings.get(name, 2), 0, _MAX_SAMPLES)
    for name in ("ray_start", "ray_end", "box_warp", "c_scale", "density_noise"):
        if isinstance(settings.get(name, 0), str) and not (name.startswith("ray_") and settings[name] == "auto"):
            raise ValueError(f"{name}={settings[name][:20]!r} is not a number")
    VolumeOptions.of(settings)
    return settings


def rendering_resolution(stored: Any) -> int:
    """EG3D's `neural_rendering_resolution`; ValueError where it is out of all proportion."""
    return bounded("neural_rendering_resolution", stored, 1, _MAX_RENDERING)


def bounded(name: str, value: Any, least: int, most: int) -> int:
    """A whole number between two; ValueError for anything else."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name}={str(value)[:20]} is out of all proportion, expected {least} to {most}")
    return value


def _plain(name: str, value: Any) -> Any:
    """Text, numbers, and short lists of numbers: what a configuration in JSON can hold."""
    if type(value) in (list, tuple) and len(value) <= 16:
        return [_plain(name, entry) for entry in value]
    if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
        return value
    raise ValueError(f"{name[:60]} is a {type(value).__name__}, expected text or a finite number")
