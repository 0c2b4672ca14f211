"""Identity networks: names, shapes and outputs of the reference, with weights from its integer hash."""

import numpy as np
import pytest
import torch

from facegen.networks.iresnet import BLOCKS, IResNet
from tests.networks.hashed import FILE, fill, hashed, inputs, reference

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not FILE.exists(), reason=f"reference numbers not found: {FILE}"),
]


def test_hash() -> None:
    _, arrays = reference()
    assert any(np.abs(hashed(8, k) - arrays["hash_check"]).max() < 1e-12 for k in (0, 1000))


@pytest.mark.parametrize("kind", BLOCKS)
def test_names_shapes_and_outputs(kind: str) -> None:
    description, arrays = reference()
    if f"iresnet_{kind}" not in description["state_dict_keys"]:
        pytest.skip("not among the reference's networks")
    salt = description["procedural_weights"]["salt"]
    network = IResNet(kind).double().eval()
    fill(network, salt)
    found = [[name, list(value.shape)] for name, value in network.state_dict().items()]
    assert found == description["state_dict_keys"][f"iresnet_{kind}"]
    faces = inputs(description, "recog")
    with torch.no_grad():
        out = network(faces).numpy()
    for name, value in (("out", out), ("id_feature", out / np.linalg.norm(out, axis=1, keepdims=True))):
        expected = arrays[f"iresnet_{kind}_{name}"]
        assert np.abs(value - expected).max() <= 1e-9 * np.abs(expected).max(), name
