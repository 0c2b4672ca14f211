"""Density and repetition against reference numbers: every array of files 07 and 08, and every list of names."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facegen.data.density import PoseDensity, with_mirrors
from facegen.data.rebalance import (
    FFHQ_EG3D_ROWS,
    FFHQ_IMAGES,
    copies,
    rare,
    reference_names,
    stylegan_repeats,
    write_name_list,
    yaw_arc_copies,
)
from facegen.geometry.cameras import theta_phi_position
from tests.geometry.reference import Arrays, array_names, compute, numeric, reference_file

FFHQ, REBALANCE, LISTS = (f"golden3d/{name}" for name in ("07_ffhq_kde.npz", "08_rebalance.npz", "08_rebalance.json"))
# Relative, element by element (matrices: to their largest); 1e-9 is the references' own. Integers have to be equal.
TOLERANCE = {"float64": 1e-9, "float32": 1e-6}
pytestmark = pytest.mark.parity


@cache
def arrays_of(relative: str) -> Arrays:
    return numeric(reference_file(relative))


def values(relative: str, name: str) -> np.ndarray:
    return arrays_of(relative)[name].numpy()


def pairs(relative: str, first: str, second: str) -> np.ndarray:
    return np.stack([values(relative, first), values(relative, second)], axis=1)


@cache
def ffhq() -> np.ndarray:
    """Directions of FFHQ with mirrors."""
    return with_mirrors(pairs(FFHQ, "theta_even_f64", "phi_even_f64"))


@cache
def ffhq_density() -> PoseDensity:
    return PoseDensity(ffhq())


@cache
def everything() -> np.ndarray:
    """Directions of FFHQ and the points that stand for LPFF."""
    return np.concatenate([ffhq(), with_mirrors(pairs(REBALANCE, "lpff_theta_even", "lpff_phi_even"))])


@cache
def full() -> PoseDensity:
    return PoseDensity(everything())


@cache
def full_densities() -> np.ndarray:
    return full().density(everything())


@cache
def small() -> PoseDensity:
    return PoseDensity(small_points())


def small_points() -> np.ndarray:
    """The rows of FFHQ by their index; those in the place of LPFF as they are."""
    points = pairs(REBALANCE, "small_theta", "small_phi")
    index = values(REBALANCE, "small_ffhq_index")
    return np.concatenate([ffhq()[index], points[len(index) :]])


def yaw_from_positions() -> np.ndarray:
    """The golden file's approximation: cameras look at a point between those of the published crops."""
    backward = theta_phi_position(torch.from_numpy(ffhq()), radius=1).numpy() - [0, 0, 0.1]
    return np.arcsin(backward[:, 0] / np.linalg.norm(backward, axis=1))


FFHQ_RULES: dict[str, Any] = {
    r"(theta|phi)_even_f64|query|step2_theta_phi": None,
    r"num_replicas_json": None,  # needs the rotation of cameras: see test_replica_table
    r"theta": lambda arrays: ffhq()[:, 0].astype(np.float32),
    r"phi": lambda arrays: ffhq()[:, 1].astype(np.float32),
    r"(n|factor|covariance|data_covariance)": lambda arrays, name: getattr(ffhq_density(), name),
    r"inv_cov": lambda arrays: np.linalg.inv(ffhq_density().covariance),
    r"data_inv_cov": lambda arrays: np.linalg.inv(ffhq_density().data_covariance),
    r"log_det": lambda arrays: -2 * np.log(ffhq_density().peak),  # of 2 pi covariance
    r"neff": lambda arrays: float(ffhq_density().n),  # all weights are equal
    r"density_at_even_points": lambda arrays: ffhq_density().density(ffhq()[::2]),
    r"duplicates_from_ffhq_density": lambda arrays: copies(ffhq_density().density(ffhq())),
    r"query_density": lambda arrays: ffhq_density().density(values(FFHQ, "query").T),
    r"query_duplicates": lambda arrays: copies(ffhq_density().density(values(FFHQ, "query").T)),
    r"step2_density": lambda arrays: ffhq_density().density(values(FFHQ, "step2_theta_phi")),
    r"step2_rejected": lambda arrays: ~rare(ffhq_density().density(values(FFHQ, "step2_theta_phi"))),
    r"num_replicas_approx_rule": lambda arrays: yaw_arc_copies(yaw_from_positions()),
}
REBALANCE_RULES: dict[str, Any] = {
    r"lpff_(theta|phi)_even|small_ffhq_index": None,
    r"(full|small)_(factor|covariance)": lambda arrays, size, name: getattr(
        {"full": full, "small": small}[size](), name
    ),
    r"full_density_even": lambda arrays: full().density(everything()[::2]),
    r"full_duplicates": lambda arrays: copies(full_densities()),
    r"small_theta": lambda arrays: small_points()[:, 0],
    r"small_phi": lambda arrays: small_points()[:, 1],
    r"small_density": lambda arrays: small().density(small_points()),
    r"small_duplicates": lambda arrays: copies(small().density(small_points())),
    r"small_n_ffhq": lambda arrays: len(values(REBALANCE, "small_ffhq_index")),
    r"small_num_replicas": lambda arrays: values(FFHQ, "num_replicas_json")[values(REBALANCE, "small_ffhq_index")],
}


def assert_equal_within(ours: Any, reference: Tensor) -> None:
    expected = reference.numpy()
    ours = np.asarray(ours)
    assert ours.shape == expected.shape
    if (tolerance := TOLERANCE.get(str(expected.dtype))) is None:
        assert np.array_equal(ours, expected)
    else:
        absolute = tolerance * np.abs(expected).max() if expected.ndim == 2 else 0
        np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=absolute)


@pytest.mark.parametrize("name", array_names(FFHQ, FFHQ_RULES))
def test_ffhq(name: str) -> None:
    arrays = arrays_of(FFHQ)
    assert_equal_within(compute(name, FFHQ_RULES, arrays), arrays[name])


@pytest.mark.parametrize("name", array_names(REBALANCE, REBALANCE_RULES))
def test_rebalanced(name: str) -> None:
    arrays = arrays_of(REBALANCE)
    assert_equal_within(compute(name, REBALANCE_RULES, arrays), arrays[name])


def _need(relative: str) -> None:
    if not reference_file(relative).exists():
        pytest.skip(f"reference numbers not found: {reference_file(relative)}; set FACEGEN_GOLDEN")


def test_replica_table() -> None:
    """EG3D's table is made from rotations, which FFHQ's positions approximate; its README says for how many faces."""
    _need(FFHQ)
    table = values(FFHQ, "num_replicas_json")
    assert set(np.unique(table)) == set(np.unique(yaw_arc_copies(np.linspace(-1, 1, 1000))))
    assert (table == yaw_arc_copies(yaw_from_positions())).mean() == pytest.approx(0.9919, abs=1e-4)
    assert (table == copies(ffhq_density().density(ffhq()))).mean() == pytest.approx(0.49, abs=0.01)
    assert (table[::2] != table[1::2]).sum() == 8


def lists() -> Any:
    return json.loads(reference_file(LISTS).read_text())


def list_cases(groups: set[str]) -> list[Any]:
    """Parameters for `parametrize`: each entry of these groups of the file."""
    if not reference_file(LISTS).exists():
        return array_names(LISTS, {})
    return [(group, name) for group, entries in lists().items() if group in groups for name in entries]


def names_of(group: str, name: str) -> list[str]:
    """Our version of a list of the reference scripts."""
    if group == "full":
        repeats, mirrored, plain = copies(full_densities()), FFHQ_EG3D_ROWS, FFHQ_IMAGES
        table = values(FFHQ, "num_replicas_json")
    else:
        repeats, table = copies(small().density(small_points())), values(REBALANCE, "small_num_replicas")
        mirrored, plain = len(table), len(table) // 2
    once = np.ones_like(repeats)
    rules = {
        "eg3d/FFHQ.json": lambda: reference_names(once[:mirrored]),
        "eg3d/LPFF.json": lambda: reference_names(once[mirrored:], first=mirrored),
        "eg3d/FFHQ_LPFF.json": lambda: reference_names(once),
        "eg3d/FFHQ_rebalanced.json": lambda: reference_names(table),
        "eg3d/FFHQ_LPFF_rebalanced.json": lambda: reference_names(repeats),
        "stylegan/FFHQ.json": lambda: reference_names(once[:plain]),
        "stylegan/FFHQ_LPFF.json": lambda: reference_names(stylegan_repeats(once, mirrored, plain)),
        "stylegan/FFHQ_LPFF_rebalanced.json": lambda: reference_names(stylegan_repeats(repeats, mirrored, plain)),
    }
    assert name in rules, f"no test covers the reference list {name}"
    return rules[name]()


@pytest.mark.parametrize("case", list_cases({"full", "small"}))
def test_name_list(case: tuple[str, str], tmp_path: Path) -> None:
    """Byte for byte what the scripts write."""
    group, name = case
    expected = lists()[group][name]
    names = names_of(group, name)
    write_name_list(tmp_path / "names.json", names)
    written = (tmp_path / "names.json").read_bytes()
    found = {
        "count": len(names),
        "sha256": hashlib.sha256(written).hexdigest(),
        "bytes": len(written),
        "first": names[:8],
        "last": names[-8:],
        "names": names,
    }
    assert {key: found[key] for key in expected} == expected


def test_constants() -> None:
    _need(LISTS)
    everywhere = lists()
    assert everywhere.keys() == {"full", "small", "constants"}
    (name,) = reference_names([1], first=1234567)
    ours = {
        "n_ffhq_eg3d": FFHQ_EG3D_ROWS,
        "n_ffhq_stylegan": FFHQ_IMAGES,
        "n_total_eg3d": full().n,
        "n_total_stylegan": len(stylegan_repeats(np.ones(full().n, dtype=int))),
        "name_format": "f'{i//1000:05d}/img{i:08d}.png'" if name == "01234/img01234567.png" else name,
        "json_dump": "json.dumps(names, indent=1), newline LF, no trailing newline",  # test_name_list compares bytes
    }
    assert ours == everywhere["constants"]
