"""The FID's network against torch-fidelity's, with the same random weights."""

from pathlib import Path

import pytest
import torch

from facegen.networks.inception import Inception
from tests.metrics.extractors.helpers import inception_file, pictures


def test_features_equal_torch_fidelity(tmp_path: Path) -> None:
    reference = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    path = inception_file(tmp_path / "weights.pth")
    theirs = reference.FeatureExtractorInceptionV3("test", ["2048"], feature_extractor_weights_path=str(path))
    ours = Inception().eval()
    state = torch.load(path, weights_only=True)
    ours.load_state_dict({key: value for key, value in state.items() if not key.startswith("fc.")})
    images = pictures(1, 299, 299)
    with torch.no_grad():
        expected, found = theirs(images)[0], ours((images.float() - 128) / 128)
    assert found.shape == (1, 2048) and expected.std() > 0.01
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
