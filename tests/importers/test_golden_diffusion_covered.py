"""Every file of the diffusion reference, and every number in it, is looked at by some test."""

import hashlib
import re
from typing import Any

import pytest

from facegen.importers.foreign import load_foreign
from tests.golden import load_json
from tests.importers.golden_diffusion import ENDING, REASON, ROOT, keys_of
from tests.importers.test_compvis_golden import FIRST_STAGE

pytestmark = [pytest.mark.parity, pytest.mark.skipif(not ROOT.exists(), reason=REASON)]

# Key that marks a file of numbers -> what tests of such a file enumerate: all keys, so that unknown ones fail, but
# for those of a first stage, which are another test's.
ENUMERATED = {
    "unet.t": r".*",  # test_compvis_golden.py, and test_first_stage_golden.py for the first stage's
    "out_ema": r".*",  # test_compvis_golden.py
    "controlled.out": r".*",  # test_controlnet_golden.py
    "kl.moments": r"image|kl\..*|dist\..*",  # test_first_stage_golden.py
}
AVERAGING = ("lit_ema.safetensors", "phema.json")  # tests/diffusion/test_averaging_golden.py
UNLISTED = ("README.md", "manifest.json")


def manifest() -> dict[str, dict[str, Any]]:
    return load_json(ROOT / "manifest.json") if ROOT.exists() else {}


def test_the_manifest_lists_what_is_there() -> None:
    files = {path.name for path in ROOT.iterdir()} - set(UNLISTED)
    assert files == set(manifest())
    for name, entry in manifest().items():
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == entry["sha256"], name


@pytest.mark.parametrize("name", manifest())
def test_every_file_is_covered(name: str) -> None:
    if name in AVERAGING:
        return
    if name.endswith(".config.json"):
        stem = name.removesuffix(".config.json")
        assert any(other.startswith(f"{stem}.") and other != name for other in manifest())  # read with its weights
    elif name.endswith(ENDING):
        keys = keys_of(ROOT / name)
        (pattern,) = [pattern for marker, pattern in ENUMERATED.items() if marker in keys]
        assert [key for key in keys if not re.fullmatch(pattern, key)] == []
        assert set(manifest()[name]["tensors"]) == set(keys)
    else:
        assert sum(parameter.numel() for parameter in load_foreign(ROOT / name).parameters()) > 0


def test_keys_of_a_first_stage_are_tested_with_one() -> None:
    """Where numbers of a first stage lie beside a UNet's, they are of the kind that its own test enumerates."""
    for name in manifest():
        if name.endswith(ENDING) and "unet.t" in keys_of(ROOT / name):
            own = [key for key in keys_of(ROOT / name) if key.startswith(FIRST_STAGE)]
            assert any(key.startswith(("vq.", "kl.")) for key in own)
