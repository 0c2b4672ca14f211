"""Draws are functions of the seed and the place."""

import numpy as np
import torch

from facegen.evaluation.draws import Noise, places
from facegen.networks.latents import latents


def test_latents_are_those_of_their_seeds() -> None:
    z = latents([7, 3], 4)
    assert np.array_equal(z[1].numpy(), np.random.RandomState(3).randn(4).astype(np.float32))
    assert torch.equal(z[:1], latents([7], 4))


def test_any_part_of_the_stream_of_places_is_the_same() -> None:
    whole = places(5, "owner", 0, 700, 1000)
    assert np.array_equal(places(5, "owner", 250, 300, 1000), whole[250:550])
    assert np.array_equal(places(5, "owner", 511, 2, 1000), whole[511:513])
    assert whole.min() >= 0 and whole.max() < 1000 and len(np.unique(whole)) > 400
    for other in (places(6, "owner", 0, 700, 1000), places(5, "other", 0, 700, 1000)):
        assert (other != whole).mean() > 0.99


def test_places_are_uniform() -> None:
    counts = np.bincount(places(0, "x", 0, 10_000, 10), minlength=10)
    assert ((counts - 1000) ** 2 / 1000).sum() < 27.9  # chi-squared with 9 degrees of freedom: 0.999


def test_noise_depends_on_seed_place_and_purpose_only() -> None:
    device, shape = torch.device("cpu"), (3, 5)
    first = Noise(1, 2, "a", device).rand(shape)
    torch.rand(1)
    assert torch.equal(Noise(1, 2, "a", device).rand(shape), first)
    others = [Noise(2, 2, "a", device), Noise(1, 3, "a", device), Noise(1, 2, "b", device)]
    assert not any(torch.equal(other.rand(shape), first) for other in others)
    assert bool((first >= 0).all() and (first < 1).all()) and bool((Noise(1, 2, "a", device).randn(shape) < 0).any())
