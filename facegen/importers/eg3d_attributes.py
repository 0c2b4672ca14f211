"""What EG3D's networks keep in plain attributes, beside constructor arguments and tensors."""

from typing import Any

import torch
from torch import Tensor, nn

from facegen.importers.pickled_module import PickledModule
from facegen.importers.proportions import rendering_resolution, rendering_settings
from facegen.networks.eg3d import DummyDualDiscriminator, TriPlaneGenerator
from facegen.rendering.volume import PLANE_AXES, plane_axes

_RELEASED = "xy_xz_zx"
_USED_ONCE = ("superresolution_module", "sr_antialias", "decoder_lr_mul")  # by constructors


def apply_attributes(network: nn.Module, module: PickledModule) -> None:
    """Give a network the stored attributes that inference reads, where it has such; ValueError for senseless ones.

    An attribute wins over the constructor argument of its name: training and scripts change attributes.
    """
    if isinstance(network, TriPlaneGenerator):
        network.plane_axes = stored_plane_axes(module)
        side = module.state.get("neural_rendering_resolution", network.neural_rendering_resolution)
        network.neural_rendering_resolution = rendering_resolution(side)
        _apply_rendering(network, module.state.get("rendering_kwargs", {}))
    elif isinstance(network, DummyDualDiscriminator):
        fade = module.state.get("raw_fade", 1.0)
        if type(fade) not in (int, float) or not 0 <= fade <= 1:
            raise ValueError(f"raw_fade is {str(fade)[:20]}, expected a number from 0 to 1")
        network.raw_fade = float(fade)


def _apply_rendering(network: TriPlaneGenerator, stored: Any) -> None:
    settings = network.rendering_kwargs  # also what checkpoints keep: changed in place
    fixed = {name: settings[name] for name in _USED_ONCE if name in settings}
    changed = rendering_settings({**settings, **rendering_settings(stored), **fixed})
    settings.clear()
    settings.update(changed)


def stored_plane_axes(module: PickledModule) -> str:
    """Name of the planes that a stored generator was trained with, from the tensor `renderer.plane_axes` in its file.

    A file without it has the planes of the released EG3D weights, xy_xz_zx. ValueError for planes that we do not know.
    """
    modules = module.state.get("_modules", {})
    renderer = modules.get("renderer")
    stored = renderer.state.get("plane_axes") if isinstance(renderer, PickledModule) else None
    if stored is None:
        return _RELEASED
    for name in PLANE_AXES:
        if isinstance(stored, Tensor) and torch.equal(stored, plane_axes(name).to(stored.dtype)):
            return name
    got = stored.tolist() if isinstance(stored, Tensor) and stored.numel() <= 27 else type(stored).__name__
    raise ValueError(f"renderer.plane_axes is {str(got)[:200]}, expected the axes of {' or '.join(PLANE_AXES)}")
