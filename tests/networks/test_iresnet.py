"""Identity networks: which one a file holds, and what they refuse."""

import pytest
import torch

from facegen.networks.iresnet import BLOCKS, IResNet, kind_of


def test_kind_of_a_file() -> None:
    for kind in BLOCKS:
        with torch.device("meta"):
            assert kind_of(IResNet(kind).state_dict()) == kind
    with pytest.raises(ValueError, match="none of r18"):
        kind_of({"conv1.weight": torch.zeros(1)})


def test_errors() -> None:
    with torch.device("meta"):
        network = IResNet("r18")
    with pytest.raises(ValueError, match="expected one of"):
        IResNet("r20")
    with pytest.raises(ValueError, match=r"expected \(N, 3, 112, 112\)"):
        network(torch.zeros(1, 3, 96, 96))
