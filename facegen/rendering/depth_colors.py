"""Depth maps as pictures."""

import numpy as np
from jaxtyping import Float, UInt8

# Near to far, evenly spaced: light falls all the way, so that near is near in print and to colour-blind eyes too.
_SCALE = np.array(
    [[253, 245, 200], [250, 195, 105], [238, 125, 75], [195, 65, 100], [130, 40, 125], [65, 25, 105], [12, 8, 38]],
    dtype=np.float64,
)


def depth_colors(depth: Float[np.ndarray, "*shape"], near: float, far: float) -> UInt8[np.ndarray, "*shape 3"]:
    """Colours of distances: pale where `near` or nearer, dark where `far`, farther or not finite."""
    if not near < far:
        raise ValueError(f"depth colours: got near={near}, far={far}, expected near < far")
    place = np.nan_to_num((depth - near) / (far - near), nan=1.0).clip(0, 1)
    steps = np.linspace(0, 1, len(_SCALE))
    channels = [np.interp(place, steps, _SCALE[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
