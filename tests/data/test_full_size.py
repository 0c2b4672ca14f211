"""The published counts, from the logic that indexes and recipes use, on sources as large as the real ones: names only.

The images are empty entries of zips; poses are the real ones of FFHQ and synthetic ones in place of LPFF's (golden3d 07
and 08), so that rebalanced counts can be compared with those of the published scripts.
"""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegen.data import Recipe
from facegen.data.rebalance import reference_names, with_mirrors
from facegen.geometry.cameras import label, look_from, pinhole_intrinsics, theta_phi_position
from tests.golden import golden_root, missing_reason

GOLDEN3D = golden_root().parent / "golden3d"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.parity,
    pytest.mark.skipif(not GOLDEN3D.exists(), reason=missing_reason()),
]


def names_only(path: Path, names: Iterable[str], labels: list[Any] | None = None) -> Path:
    """A zip of empty images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"")
        if labels is not None:
            archive.writestr("dataset.json", json.dumps({"labels": labels}))
    return path


def cameras(theta_phi: np.ndarray) -> list[list[float]]:
    """Camera labels at (theta, phi), in double precision."""
    position = theta_phi_position(torch.from_numpy(theta_phi))
    return label(look_from(position), pinhole_intrinsics(dtype=torch.float64)).tolist()


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return json.loads((GOLDEN3D / "08_rebalance.json").read_text())


@pytest.fixture(scope="module")
def ffhq_eg3d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with np.load(GOLDEN3D / "07_ffhq_kde.npz") as arrays:
        angles = with_mirrors(np.stack([arrays["theta_even_f64"], arrays["phi_even_f64"]], axis=1))
    names = [f"{row // 1000:05d}/img{row:08d}.png" for row in range(len(angles))]
    labels = [list(pair) for pair in zip(names, cameras(angles), strict=True)]
    return names_only(tmp_path_factory.mktemp("ffhq_eg3d") / "ffhq_eg3d.zip", names, labels)


@pytest.fixture(scope="module")
def lpff(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with np.load(GOLDEN3D / "08_rebalance.npz") as arrays:
        angles = np.stack([arrays["lpff_theta_even"], arrays["lpff_phi_even"]], axis=1)
    root = tmp_path_factory.mktemp("lpff")
    ids = [f"{row:07d}@N00_{row}_00" for row in range(len(angles))]
    for crop in ("eg3d", "stylegan"):
        names_only(root / "crop" / f"{crop}.zip", [f"{name}.png" for name in ids])
    (root / "camera_parameters.json").write_text(json.dumps(dict(zip(ids, cameras(angles), strict=True))))
    return root


@pytest.fixture(scope="module")
def ffhq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ffhq") / "images1024x1024"
    for start in range(0, 70_000, 1000):
        (root / f"{start:05d}").mkdir(parents=True)
        for row in range(start, start + 1000):
            (root / f"{start:05d}" / f"{row:05d}.png").touch()
    return root.parent


def listed(recipe: Recipe) -> list[str]:
    """Names as the published lists repeat them: an image, then its mirror where the recipe adds it."""
    repeats = []
    for count, flipped in zip(recipe.repeats.tolist(), recipe.mirrored.tolist(), strict=True):
        repeats += [count, count] if flipped else [count]
    return reference_names(repeats)


def sha256(names: list[str]) -> str:
    import hashlib

    return hashlib.sha256(json.dumps(names, indent=1).encode()).hexdigest()


def eg3d_sources(ffhq_eg3d: Path, lpff: Path) -> dict[str, Any]:
    return {
        "ffhq_eg3d": {"root": ffhq_eg3d, "layout": "ffhq_eg3d", "mirror": False},
        "lpff": {"root": lpff, "layout": "lpff_eg3d", "mirror": True},
    }


def test_lpff_ffhq(ffhq_eg3d: Path, lpff: Path, reference: dict[str, Any]) -> None:
    """179,094 images, and the rebalanced list of names of the published scripts, byte for byte."""
    recipe = Recipe(eg3d_sources(ffhq_eg3d, lpff), 512, mirror=True, labels=True)
    constants, full = reference["constants"], reference["full"]
    assert recipe.num_items == constants["n_total_eg3d"] == 179_094
    assert recipe.c_dim == 25 and recipe.num_faces == constants["n_ffhq_eg3d"] + 19_590
    assert sha256(listed(recipe)) == full["eg3d/FFHQ_LPFF.json"]["sha256"]
    rebalanced = Recipe(eg3d_sources(ffhq_eg3d, lpff), 512, mirror=True, labels=True, rebalance="lpff")
    assert rebalanced.num_items == full["eg3d/FFHQ_LPFF_rebalanced.json"]["count"]
    assert sha256(listed(rebalanced)) == full["eg3d/FFHQ_LPFF_rebalanced.json"]["sha256"]


def test_lpff_ffhq_stylegan(ffhq: Path, ffhq_eg3d: Path, lpff: Path, reference: dict[str, Any]) -> None:
    """89,590 faces; the rule repeats LPFF's alone, by a density to which FFHQ and LPFF for EG3D contribute."""
    sources = {"ffhq": {"root": ffhq, "layout": "ffhq"}, "lpff": {"root": lpff, "layout": "lpff_stylegan"}}
    recipe = Recipe(sources, 1024)
    constants, full = reference["constants"], reference["full"]
    assert recipe.num_faces == constants["n_total_stylegan"] == 89_590
    rule = {"rule": "lpff", "population": eg3d_sources(ffhq_eg3d, lpff)}
    sources["ffhq"]["rebalance"] = False  # type: ignore[assignment]
    rebalanced = Recipe(sources, 1024, rebalance=rule)
    assert sha256(listed(rebalanced)) == full["stylegan/FFHQ_LPFF_rebalanced.json"]["sha256"]


def test_ffhq_rebalanced(ffhq_eg3d: Path, tmp_path: Path, reference: dict[str, Any]) -> None:
    """With EG3D's table of copies its list comes out, byte for byte."""
    with np.load(GOLDEN3D / "07_ffhq_kde.npz") as arrays:
        table = arrays["num_replicas_json"]
    (tmp_path / "num_replicas.json").write_text(json.dumps({str(row): int(n) for row, n in enumerate(table)}))
    rule = {"rule": "eg3d", "copies": str(tmp_path / "num_replicas.json")}
    recipe = Recipe({"root": ffhq_eg3d, "layout": "ffhq_eg3d"}, 512, rebalance=rule)
    assert sha256(listed(recipe)) == reference["full"]["eg3d/FFHQ_rebalanced.json"]["sha256"]


def test_cleaned(ffhq: Path, tmp_path: Path) -> None:
    assert Recipe({"root": ffhq, "exclude": "pkg:ffhq_excluded"}, 1024).num_faces == 69_100
    root = tmp_path / "celebahq"
    root.mkdir()
    for row in range(30_000):
        (root / f"{row}.jpg").touch()
    recipe = Recipe({"root": root, "layout": "celebahq", "exclude": "pkg:celebahq_excluded"}, 1024)
    assert recipe.num_faces == 29_437
