"""Figures that look at poses: real pictures by their labels, generated ones by the cameras they are rendered from."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facegen.data.density import PoseDensity
from facegen.data.poses import yaw_pitch_degrees
from facegen.evaluation.sides import Figure, Generated, Real, counts
from facegen.geometry.cameras import theta_phi
from facegen.metrics.pose_weights import PoseDensities, leave_one_out
from facegen.metrics.posed import Posed

REPLICATES = 20  # groups of the jackknife
BINNED_COMPONENTS = 32  # principal axes of the real features: a bin has few images
MATCHED_COMPONENTS = 64  # principal axes of the real features: weights leave too few images for all


def posed(features: NDArray[np.float32], labels: NDArray[np.float32]) -> Posed:
    """Features with yaw and pitch."""
    angles = np.radians(yaw_pitch_degrees(labels).astype(np.float64))
    return Posed(torch.from_numpy(features), torch.from_numpy(angles))


def binned(real: Real, generated: Generated) -> list[Figure]:
    """Distance in bins of yaw and pitch; the value is the mean over yaw, None where no bin is full."""
    from facegen.metrics.pose_binned import binned_frechet

    pair = posed(real.features, real.labels), posed(generated.features, generated.labels)
    found = binned_frechet(*pair, components=_components(real, BINNED_COMPONENTS))
    details = found.as_dict()
    details |= {name: getattr(found.bins, name) for name in ("yaw_edges_degrees", "pitch_edges_degrees")}
    return [Figure("binned_fid", generated.mode.name, found.value, details=details, counts=counts(real, generated))]


def matched(real: Real, generated: Generated) -> list[Figure]:
    """Distance under weights that give both sides the poses that they share."""
    from facegen.metrics.pose_matched import matched_frechet

    sides = posed(real.features, real.labels), posed(generated.features, generated.labels)
    replicates = min(REPLICATES, len(real.labels), len(generated.labels))
    options: dict[str, Any] = {"components": _components(real, MATCHED_COMPONENTS), "replicates": replicates}
    found = matched_frechet(*sides, densities(real.labels, generated.labels), **options)
    name = f"{generated.mode.name} vs {real.name}"
    details = found.as_dict() | {"corrected": found.matched.corrected}
    error = found.matched.standard_error
    return [Figure("matched_fid", name, found.value, found.interval, error, details, counts(real, generated))]


def _components(real: Real, most: int) -> int:
    """As many principal axes as wanted, or as there are."""
    return min(most, len(real.features) - 1, real.features.shape[1])


def densities(real: NDArray[np.float32], generated: NDArray[np.float32]) -> PoseDensities:
    """Densities of both sides' poses over (theta, phi) at both, none counting the picture that it is taken at."""
    points = [theta_phi(torch.from_numpy(labels).double()).numpy() for labels in (real, generated)]
    kernels = [PoseDensity(each) for each in points]
    found = []
    for place, at in enumerate(points):
        columns = [torch.from_numpy(kernel.density(at)) for kernel in kernels]
        columns[place] = leave_one_out(columns[place], kernels[place].n, kernels[place].peak)
        found.append(torch.stack(columns, dim=1))
    return PoseDensities(*found)
