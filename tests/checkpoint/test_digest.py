import torch

from facegen.checkpoint import weights_digest


def test_digest_sees_names_and_shapes() -> None:
    layers = [torch.nn.Linear(2, 3, bias=False), torch.nn.Linear(3, 2, bias=False)]
    layers[1].weight.data = layers[0].weight.data.reshape(2, 3).clone()
    assert weights_digest(layers[0]) != weights_digest(layers[1])
    assert weights_digest(layers[0]) == weights_digest(layers[0])


def test_what_is_left_out_does_not_matter() -> None:
    layer = torch.nn.Linear(2, 3)
    before = weights_digest(layer, without=("bias",))
    layer.bias.data += 1
    assert weights_digest(layer, without=("bias",)) == before != weights_digest(layer)
