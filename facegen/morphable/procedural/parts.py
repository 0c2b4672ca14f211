"""The separate pieces: eyeballs, linings of lids and lips, teeth, ears."""

import numpy as np

from facegen.morphable.procedural import anatomy
from facegen.morphable.procedural.face import Slit
from facegen.morphable.procedural.fields import Array, smoothstep
from facegen.morphable.procedural.mesh import Index, Piece, grid_triangles, piece

_THROAT = np.array([0.0, -0.090, 0.165])


def _disc(rings: int, sectors: int) -> tuple[Array, Array, Index]:
    """Polar grid: radius from 0 to 1 and angle of each vertex, mirror symmetric, and its triangles."""
    radius = np.repeat(np.linspace(0, 1, rings), sectors)
    angle = np.tile(2 * np.pi * (np.arange(sectors) + 0.5) / sectors, rings)
    index = np.arange(rings * sectors).reshape(rings, sectors)
    closed = np.concatenate([index, index[:, :1]], axis=1)
    return radius, angle, grid_triangles(closed)


def eyeball() -> Piece:
    """The front of the eyeball at positive x; coordinates are the angle from its axis and the angle around it."""
    radius, around, triangles = _disc(30, 40)
    polar = np.interp(radius, [0, 0.6, 1], np.radians([0, 33, 105]))
    offset = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1)
    cornea = 0.0010 * np.exp(-((polar / np.radians(22)) ** 4))
    hidden = 0.22 * smoothstep(polar, np.radians(52), np.radians(105))  # must not come through a face of another shape
    vertices = anatomy.EYE + offset * (anatomy.EYE_RADIUS * (1 - hidden) + cornea)[:, None]
    return piece(vertices, triangles, "eye", np.stack([polar, around], axis=-1), anatomy.EYE)


def _lining(edge: Index, steps: Array, part: str, above: bool) -> Piece:
    """A strip that starts on a slit's edge: `steps` are (K, C, 3) positions of its K rows."""
    rows, columns, _ = steps.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    triangles = grid_triangles(index if above else index[:, ::-1])
    depth, along = np.meshgrid(np.linspace(0, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    strip = piece(steps.reshape(-1, 3), triangles, part, np.stack([depth.ravel(), along.ravel()], axis=-1))
    level = np.tile(np.where(np.arange(columns) % (columns - 1) == 0, 0, 1 if above else -1), rows)
    return strip._replace(anchors=np.tile(steps[0], (rows, 1)), level=level.astype(np.float64))


def lid_lining(skin: Array, slit: Slit, above: bool) -> Piece:
    """The edge of a lid, from the skin back to the eyeball."""
    edge = slit.upper if above else slit.lower
    center = anatomy.EYE * (np.sign(skin[edge, 0].mean()), 1, 1)
    outward = skin[edge] - center
    distance = np.linalg.norm(outward, axis=-1, keepdims=True)
    inner = np.minimum(distance, anatomy.EYE_RADIUS - 0.002)
    steps = [center + outward / distance * (distance + (inner - distance) * t) for t in (0, 0.35, 1)]
    return _lining(edge, np.stack(steps), "skin", above)


def lip_lining(skin: Array, slit: Slit, above: bool) -> Piece:
    """Half of the bag inside the mouth: from a lip around the teeth to the throat, where the other half meets it."""
    edge = slit.upper if above else slit.lower
    turn = 1.0 if above else -1.0
    open_middle = (1 - np.linspace(-1, 1, len(edge)) ** 6)[:, None]
    rows = ((0, 0), (0.0005, 0.004), (0.004, 0.009), (0.012, 0.0115), (0.026, 0.016), (0.032, 0.040))
    steps = [skin[edge] + open_middle * np.array([0.0, turn * rise, -back]) for rise, back in rows]
    throat = skin[edge] * (0.55, 0, 0) + _THROAT
    steps = [*steps, 0.5 * steps[-1] + 0.5 * throat, throat]
    made = _lining(edge, np.stack(steps), "mouth", above)
    depth = np.clip((made.coordinates[:, 0] - 0.7) / 0.3, 0, 1)[:, None]
    common = made.anchors * (0.55, 0, 0) + (0, anatomy.MOUTH_ROW, 0.20)
    return made._replace(
        anchors=made.anchors * (1 - depth) + common * depth, level=np.where(depth[:, 0] > 0.99, 0, made.level)
    )


def teeth(above: bool) -> Piece:
    """A dental arch; coordinates are the place along the arch (-1 to 1) and from gum (0) to edge (1)."""
    along, down = np.meshgrid(np.linspace(-1, 1, 61), np.linspace(0, 1, 5), indexing="xy")
    x = 0.046 * np.sin(along * 1.35) / np.sin(1.35)
    z = 0.2365 - 0.040 * (1 - np.cos(along * 1.35)) / (1 - np.cos(1.35)) - (0 if above else 0.004)
    gum, edge = (-0.070, -0.0935) if above else (-0.116, -0.0955)
    vertices = np.stack([x, gum + (edge - gum) * down, z + 0.002 * np.sin(np.pi * down)], axis=-1).reshape(-1, 3)
    index = np.arange(along.size).reshape(along.shape)
    triangles = grid_triangles(index if above else index[:, ::-1])
    made = piece(vertices, triangles, "mouth", np.stack([along.ravel(), down.ravel()], axis=-1))
    return made._replace(level=np.full(along.size, 1.0 if above else -1.0))


def _ear_outline(around: Array) -> tuple[Array, Array]:
    """Forward (towards the face) and up coordinates of the rim, from 0 at the front of the helix over the top."""
    up = np.sin(around)
    width = np.interp(up, [-1, -0.55, 0.1, 0.75, 1], [0.55, 0.62, 0.92, 1.0, 0.95])
    return 0.0345 * np.cos(around) * width, np.where(up > 0, 0.056, 0.062) * up


def ear() -> Piece:
    """The ear at positive x; coordinates are the place from its middle (0) over the rim (0.7) to its back (1)."""
    radius, around, triangles = _disc(40, 72)
    forward, up = _ear_outline(around)
    front = np.clip(radius / 0.7, 0, 1)
    behind = np.clip((radius - 0.7) / 0.3, 0, 1)
    spread = np.where(behind > 0, 1 - 0.55 * behind, front)
    s, t = forward * spread, up * spread
    backness = smoothstep(-np.cos(around), -0.5, 0.7)
    lobe = smoothstep(-np.sin(around), 0.55, 0.9)
    rolled = (0.25 + 0.75 * np.maximum(backness, np.sin(around))) * (1 - lobe)
    helix = 0.0085 * np.exp(-(((front - 0.93) / 0.085) ** 2)) * rolled
    fold = 0.0075 * np.exp(-(((front - 0.60) / 0.10) ** 2)) * smoothstep(backness, 0.2, 0.8) * (1 - 0.6 * lobe)
    tragus = 0.009 * np.exp(-(((s - 0.017) / 0.006) ** 2) - ((t + 0.008) / 0.012) ** 2)
    bowl = -0.015 * np.exp(-(((s - 0.002) / 0.014) ** 2) - ((t + 0.006) / 0.021) ** 2)
    out = helix + fold + tragus + bowl + 0.004 * lobe - 0.022 * behind**0.7
    flare = 0.012 * smoothstep(-s, -0.02, 0.035)
    local = np.stack([out + flare, t, s], axis=-1)
    return piece(_place_ear(local), triangles[:, ::-1], "ear", np.stack([radius, around], axis=-1))


def _place_ear(local: Array) -> Array:
    """Turn the ear so that its rim stands off the head, leans back, and sits at its place."""
    turn, lean = np.radians(30), np.radians(12)
    yaw = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(lean), np.sin(lean)], [0, -np.sin(lean), np.cos(lean)]])
    return local @ (yaw @ pitch).T + anatomy.EAR


def torso() -> Piece:
    """Clothed neck and shoulders; coordinates are the azimuth and the way from the collar (0) down (1)."""
    azimuth, down = np.meshgrid(np.linspace(-np.pi, np.pi, 81), np.linspace(0, 1, 22), indexing="xy")
    steps = [0, 0.08, 0.22, 0.45, 0.7, 0.85, 1]
    width = np.interp(down, steps, [0.124, 0.140, 0.185, 0.29, 0.375, 0.405, 0.41])
    depth = np.interp(down, steps, [0.122, 0.130, 0.140, 0.155, 0.165, 0.17, 0.17])
    fall = np.interp(down, steps, [0, 0.018, 0.042, 0.085, 0.135, 0.20, 0.32])
    front = smoothstep(np.cos(azimuth), -0.4, 1)
    y = -0.268 - 0.050 * front - fall - 0.05 * down * front
    vertices = np.stack([width * np.sin(azimuth), y, -0.070 + depth * np.cos(azimuth)], axis=-1).reshape(-1, 3)
    index = np.arange(azimuth.size).reshape(azimuth.shape)
    index[:, -1] = index[:, 0]
    flip = (azimuth[:-1, :-1] + azimuth[:-1, 1:]) > 0
    return piece(vertices, grid_triangles(index, flip), "cloth", np.stack([azimuth.ravel(), down.ravel()], axis=-1))
