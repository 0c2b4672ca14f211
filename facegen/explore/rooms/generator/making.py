"""From a wish to a picture or a mesh."""

import time

import torch

from facegen.evaluation.blending import blended
from facegen.evaluation.views import Face, front, look, make_face, vertex_colors, volume
from facegen.explore.rooms.generator.denoising import Report, denoised_picture
from facegen.explore.rooms.generator.loaded import Loaded
from facegen.explore.rooms.generator.seen import Made, camera, label, picture_of
from facegen.explore.rooms.generator.wishes import Wish
from facegen.rendering.glb_file import glb_bytes
from facegen.rendering.isosurface import isosurface
from facegen.rendering.meshes import Mesh


class Maker:
    """Makes what one visitor wishes of one generator; remembers the face, so that turning it is quick."""

    def __init__(self, source: Loaded) -> None:
        self.source = source
        self._remembered: tuple[Wish, Face] | None = None

    def make(self, wish: Wish, report: Report = lambda done, total: None) -> Made:
        """The picture. Raises ValueError for what the generator cannot do, and whatever `report` raises."""
        with self.source.lock, torch.inference_mode():
            started = time.perf_counter()
            if self.source.kind == "diffusion":
                made = denoised_picture(self.source, wish, report)
            else:
                made = self._view(wish) if self.source.kind == "3d" else self._image(wish)
            return made._replace(seconds=time.perf_counter() - started)

    def mesh(self, wish: Wish, resolution: int, level: float) -> bytes:
        """The face's surface as GLB; level: density per world unit. Raises ValueError where there is none."""
        network = self.source.network
        with self.source.lock, torch.inference_mode():
            face = self._face(wish)
            surface = isosurface(volume(network, face, resolution), level)
            return glb_bytes(Mesh(*surface, colors=vertex_colors(network, face, surface.vertices)))

    def _image(self, wish: Wish) -> Made:
        network = self.source.network
        ws = blended(network, [wish.seed], label(network, wish.label), wish.blend, wish.truncation)
        return Made(picture_of(network.synthesis(ws, noise_mode="const")), {}, None)

    def _view(self, wish: Wish) -> Made:
        network = self.source.network
        seen_from = camera(network, wish.angle)
        coarse = max(network.neural_rendering_resolution // 2, 16) if wish.draft else None
        seen = look(network, self._face(wish), seen_from[0], neural_resolution=coarse)
        return Made(seen.picture, {}, seen_from[0].tolist())

    def _face(self, wish: Wish) -> Face:
        """The planes of a face, which do not depend on the angle."""
        network, of = self.source.network, Wish(wish.seed, wish.truncation, wish.blend)
        if self._remembered is None or self._remembered[0] != of:
            told = front(network) if network.c_dim else torch.zeros(1, 0)
            ws = blended(network, [wish.seed], told, wish.blend, wish.truncation)
            self._remembered = of, make_face(network, wish.seed, ws)
        return self._remembered[1]
