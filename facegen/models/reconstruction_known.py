"""Training of a reconstruction network on synthetic faces, whose coefficients are known."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from facegen.checkpoint import cache_folder
from facegen.data.batch import FaceBatch
from facegen.data.hint_faces import KNOWN, known_coefficients
from facegen.geometry.cameras import head_angles, head_rotation
from facegen.geometry.perspective import EG3D, Perspective
from facegen.models.draws import Draws
from facegen.models.reconstruction_errors import ErrorMeasure, ErrorWeights
from facegen.models.supervised import Supervised
from facegen.morphable import spherical_harmonics
from facegen.morphable.coefficients import LIGHT, Coefficients
from facegen.morphable.procedural_model import procedural_faces
from facegen.networks.reconstruction import ReconstructionNetwork, regress


class KnownFaces:
    """Supervision by the synthetic source: its columns of coefficients and its camera labels say what is true.

    detail: of the procedural head's mesh. perspective: of the pictures; EG3D's for the synthetic source. turn_degrees:
    cameras are turned at random by up to so much, across (which shifts the picture) and about the view. blur, noise:
    the most that pictures are blurred (1: a mean over 3x3 pixels) and the deviation of noise, 1 is black to grey.
    The camera's turn is exact: the warped picture is what a turned camera would have seen.
    """

    def __init__(
        self,
        detail: float = 1.0,
        perspective: Sequence[float] = EG3D,
        turn_degrees: tuple[float, float] = (0.6, 10.0),
        blur: float = 1.0,
        noise: float = 0.06,
        weights: dict[str, float] | None = None,
    ) -> None:
        self.morphable, self.columns = "procedural", KNOWN
        self.faces = procedural_faces(cache_folder(), detail)
        self.perspective = Perspective(*perspective)  # type: ignore[arg-type]
        self.model = self.faces.model.with_perspective(self.perspective)
        self.turn_degrees, self.blur, self.noise = turn_degrees, blur, noise
        self.weights = ErrorWeights(**(weights or {}))
        self.measure = ErrorMeasure(self.model)

    def configuration(self) -> dict[str, Any]:
        """Everything that decides the next step, as plain values."""
        augmented = [*self.turn_degrees, self.blur, self.noise]
        return {"supervision": "known faces", "augmented": augmented, "weights": list(self.weights)}

    def __call__(self, network: ReconstructionNetwork, images: Tensor, batch: FaceBatch, draws: Draws) -> Supervised:
        """Errors of what the network sees in images (N, 3, R, R) in [-1, 1]."""
        truth = self.model.split(self.truth(batch))
        images, truth = self.turned(images, truth, draws)
        found = self.model.split(regress(network, self.worsened(images, draws)))
        self.measure.to(images.device)
        errors = self.measure(found, truth)
        weighted = [weight * error for weight, error in zip(self.weights, errors, strict=True)]
        figures = {f"error/{name}": error for name, error in errors._asdict().items()}
        return Supervised(torch.stack(weighted).sum(dim=0).mean(), figures)

    def truth(self, batch: FaceBatch) -> Float[Tensor, "batch coefficient"]:
        """The true coefficients of a batch. Raises ValueError where it lacks the columns."""
        try:
            return known_coefficients(batch, self.faces)
        except ValueError as error:
            raise ValueError(f"reconstruction: {error}") from error

    def turned(self, images: Tensor, truth: Coefficients, draws: Draws) -> tuple[Tensor, Coefficients]:
        """What cameras see that are turned about their own place, and the pose before them.

        1. Rows of points seen from the camera turn by Q: p' = p Q.
        2. So a head's pose (R, t) becomes (R Q, (t - C) Q + C), C being the camera's place.
        3. A pixel of the new picture, with the ray p', shows what the old one has at p = p' Q^T.
        """
        across, about = (float(torch.deg2rad(torch.tensor(degrees))) for degrees in self.turn_degrees)
        most = images.new_tensor([across, across, about])
        turn = head_rotation((2 * draws.rand([len(images), 3]).to(images) - 1) * most)
        camera = images.new_tensor([0.0, 0.0, self.perspective.distance])
        translation = ((truth.translation - camera)[:, None] @ turn).squeeze(1) + camera
        light = turned_light(truth.light, turn, self.model.initial_light.to(images))
        angle = head_angles(head_rotation(truth.angle) @ turn)
        return self._warped(images, turn), truth._replace(angle=angle, translation=translation, light=light)

    def _warped(self, images: Tensor, turn: Float[Tensor, "batch 3 3"]) -> Tensor:
        side = images.shape[-1]
        perspective = self.perspective.at(side)
        pixels = torch.arange(side, device=images.device) + 0.5 - perspective.center
        x, y = torch.meshgrid(pixels / perspective.focal, -pixels / perspective.focal, indexing="xy")
        rays = torch.stack([x, y, -torch.ones_like(x)], dim=-1).flatten(0, 1) @ turn.mT
        places = perspective.image_points(rays * rays.new_tensor([1.0, 1.0, -1.0]))
        grid = (places * (2 / side) - 1).unflatten(1, (side, side))
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def worsened(self, images: Tensor, draws: Draws) -> Tensor:
        """Images with a random amount of blur and noise each: generated pictures are not as sharp as rendered ones."""
        blur, noise = (draws.rand([len(images), 2]).to(images) * images.new_tensor([self.blur, self.noise])).unbind(1)
        blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        mixed = images.lerp(blurred, blur[:, None, None, None])
        return mixed + draws.randn(list(images.shape)).to(images) * noise[:, None, None, None]


def turned_light(
    light: Float[Tensor, "batch 27"], turn: Float[Tensor, "batch 3 3"], initial: Float[Tensor, " 9"]
) -> Float[Tensor, "batch 27"]:
    """Light coefficients, beyond the initial light, of a world that is turned: rows of points by p Q."""
    whole = light.unflatten(1, LIGHT) + initial
    return (spherical_harmonics.turned(whole.mT, turn).mT - initial).flatten(1)
