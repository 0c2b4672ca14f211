"""The reconstruction network: every key of golden3d's file 11, with weights from its integer hash."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from facegen.geometry.alignment_similarity import DEEP3D_RESCALE, DEEP3D_SIZE
from facegen.geometry.perspective import DEEP3D
from facegen.losses.reconstruction import DEEP3D_WEIGHTS, LPFF_WEIGHTS
from facegen.networks.reconstruction import ReconstructionNetwork, kind_of
from tests.networks.hashed import FILE, fill, inputs, reference

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not FILE.exists(), reason=f"reference numbers not found: {FILE}"),
]

# Option of the reference to our weight.
WEIGHTS = {
    "w_feat": "identity_features",
    "w_color": "photometric",
    "w_reg": "coefficients",
    "w_id": "identity",
    "w_exp": "expression",
    "w_tex": "albedo",
    "w_gamma": "light",
    "w_lm": "landmarks",
    "w_reflc": "reflectance",
}
IDENTITY_NETWORKS = "iresnet_"  # in test_iresnet_parity


@cache
def described() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return reference()


@cache
def filled(kind: str, use_last_fc: bool) -> ReconstructionNetwork:
    layout = [part["stop"] - part["start"] for part in described()[0]["output_layout"][:3]]
    network = ReconstructionNetwork(kind, layout, use_last_fc).double().eval()
    fill(network, described()[0]["procedural_weights"]["salt"])
    return network


@cache
def outputs(kind: str, use_last_fc: bool) -> dict[str, np.ndarray]:
    network, images = filled(kind, use_last_fc), (inputs(described()[0], "recon") + 1) / 2
    features: list[torch.Tensor] = []

    def keep(module: Any, inputs: Any, out: torch.Tensor) -> None:
        features.append(out)

    with network.backbone.register_forward_hook(keep), torch.no_grad():
        out = network(images)
    return {"out": out.numpy(), "feat": features[0].flatten(1).numpy()}


def array_names() -> list[str]:
    names = reference()[1] if FILE.exists() else []
    return [name for name in names if not name.startswith(IDENTITY_NETWORKS) and name != "hash_check"]


@pytest.mark.parametrize("name", array_names())
def test_outputs(name: str) -> None:
    kind, *variant, figure = name.split("_")
    assert variant in ([], ["lastfc"]), f"no test covers the reference array {name}"
    expected = described()[1][name]
    found = outputs(kind, bool(variant))[figure]
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()


def test_names_and_shapes() -> None:
    for name, expected in described()[0]["state_dict_keys"].items():
        if name.startswith(IDENTITY_NETWORKS):
            continue
        assert name.startswith("ReconNetWrapper_"), f"no test covers the names of {name}"
        kind, _, variant = name.removeprefix("ReconNetWrapper_").partition("_")
        state = filled(kind, variant == "use_last_fc").state_dict()
        found = [[key, list(value.shape)] for key, value in state.items()]
        assert kind_of(state) == kind
        # Of a variant, the file may list the end only: what differs from the network above.
        assert found[-len(expected) :] == expected
        assert len(expected) == len(found) or variant


def test_every_part_of_the_description_is_known() -> None:
    checked = {"state_dict_keys", "procedural_weights"}
    description = {key: value for key, value in described()[0].items() if key not in checked}
    assert description.keys() == CHECKS.keys()
    for key, check in CHECKS.items():
        check(description[key])


def _layout(parts: list[dict[str, Any]]) -> None:
    heads = [head.out_channels for head in filled("resnet18", False).final_layers]  # type: ignore[union-attr]
    assert heads == [part["stop"] - part["start"] for part in parts]
    assert parts[-1]["stop"] == filled("resnet18", False).num_coefficients


def _heads(names: list[str]) -> None:
    sizes = [int(name.split()[-1]) for name in names]
    assert sizes == [head.out_channels for head in filled("resnet18", False).final_layers]  # type: ignore[union-attr]


def _initial(text: str) -> None:
    assert "zero" in text
    new = ReconstructionNetwork("resnet18").eval()
    with torch.no_grad():
        assert bool((new(torch.rand(1, 3, 64, 64)) == 0).all())


def _defaults(options: dict[str, Any]) -> None:
    network = ReconstructionNetwork().init_kwargs
    assert (network["kind"], network["use_last_fc"]) == (options["net_recon"], options["use_last_fc"])
    camera = (options["focal"], options["center"], options["camera_d"], options["z_near"], options["z_far"])
    assert camera == (DEEP3D.focal, DEEP3D.center, DEEP3D.distance, DEEP3D.near, DEEP3D.far)
    assert {ours: options[theirs] for theirs, ours in WEIGHTS.items()} == DEEP3D_WEIGHTS._asdict()


def _lpff(options: dict[str, float]) -> None:
    changed = {WEIGHTS[name]: value for name, value in options.items()}
    assert DEEP3D_WEIGHTS._replace(**changed) == LPFF_WEIGHTS


def _training(options: dict[str, Any]) -> None:
    assert options["target_size"] == ReconstructionNetwork().size == DEEP3D_SIZE
    assert options["rescale_factor"] == DEEP3D_RESCALE


def _checkpoint(content: dict[str, Any]) -> None:
    assert "net_recon" in content["keys"]


CHECKS = {
    "output_layout": _layout,
    "final_layers_order": _heads,
    "final_layers_init": _initial,
    "model_defaults": _defaults,
    "lpff_fork_differences": _lpff,
    "train_defaults": _training,
    "checkpoint": _checkpoint,
}
