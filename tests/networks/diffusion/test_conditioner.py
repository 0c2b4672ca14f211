"""Conditions as a vector and tokens: what is left out, what reaches what, what is refused."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facegen.checkpoint import build_network, network_config
from facegen.networks.diffusion.conditioner import Conditioner

INPUTS: dict[str, dict[str, Any]] = {
    "camera": {"kind": "numbers", "size": 25},
    "class": {"kind": "class", "size": 3},
    "coefficients": {"kind": "numbers", "size": 6, "form": "tokens", "tokens": 2, "columns": ["a", "b"]},
    "caption": {"kind": "text", "tokens": 5, "dropout": 0.2},
    "given": {"kind": "tokens", "size": 16, "tokens": 3},
}
COUNT = 4
PLACES = {"coefficients": slice(0, 2), "caption": slice(2, 7), "given": slice(7, 10)}  # of the tokens


def conditioner(inputs: dict[str, dict[str, Any]] | None = None, **arguments: Any) -> Conditioner:
    torch.manual_seed(0)
    return Conditioner(inputs or INPUTS, width=16, **arguments)


def values() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    return {
        "camera": torch.randn(COUNT, 25, generator=generator),
        "class": torch.eye(3)[[0, 1, 2, 0]],
        "coefficients": torch.randn(COUNT, 6, generator=generator),
        "caption": ["She is young.", "a man with a beard", "", "He wears eyeglasses"],
        "given": torch.randn(COUNT, 3, 16, generator=generator),
    }


def test_shapes_and_names() -> None:
    network = conditioner()
    context = network(values(), COUNT)
    assert context.vector.shape == (COUNT, network.vector_dim) == (COUNT, 16)
    assert context.tokens.shape == (COUNT, 10, network.token_dim) and network.token_dim == 16
    assert network.names == tuple(INPUTS) and network.of_numbers == ("camera", "coefficients")
    assert network.dropout == {"camera": 0.1, "class": 0.1, "coefficients": 0.1, "caption": 0.2, "given": 0.1}
    assert network.inputs["coefficients"]["columns"] == ["a", "b"]


def test_only_the_forms_that_there_are() -> None:
    vector = conditioner({"camera": INPUTS["camera"]})
    tokens = conditioner({"caption": INPUTS["caption"]})
    assert (vector.vector_dim, vector.token_dim) == (16, 0) and vector({}, 2).tokens is None
    assert (tokens.vector_dim, tokens.token_dim) == (0, 16) and tokens({}, 2).vector is None


def test_given_tokens_pass_as_they_are() -> None:
    found = conditioner()(values(), COUNT).tokens
    assert torch.equal(found[:, PLACES["given"]], values()["given"])


@pytest.mark.parametrize("name", INPUTS)
def test_left_out_is_missing_is_the_learned_embedding(name: str) -> None:
    network = conditioner()
    given = values()
    missing = network({other: value for other, value in given.items() if other != name}, COUNT)
    nobody = network(given, COUNT, {name: torch.zeros(COUNT, dtype=torch.bool)})
    assert torch.equal(missing.vector, nobody.vector) and torch.equal(missing.tokens, nobody.tokens)
    some = network(given, COUNT, {name: torch.tensor([True, False, True, True])})
    whole = network(given, COUNT)
    for got, kept, left_out in zip(some, whole, missing, strict=True):
        assert torch.equal(got[[0, 2, 3]], kept[[0, 2, 3]]) and torch.equal(got[1], left_out[1])
    if name in PLACES:
        null = network.nulls[name].expand(COUNT, -1, -1)
        assert torch.equal(missing.tokens[:, PLACES[name]], null)
        assert not torch.equal(whole.tokens[:, PLACES[name]], null)


def test_nothing_told_is_the_sum_of_the_nulls() -> None:
    network = conditioner()
    found = network({}, 2)
    expected = network.nulls["camera"] + network.nulls["class"]
    torch.testing.assert_close(found.vector, expected.expand(2, -1))


@pytest.mark.parametrize("name", INPUTS)
def test_a_condition_changes_its_sample_only(name: str) -> None:
    network = conditioner()
    given = values()
    base, first = network(given, COUNT), given[name]
    changed = ["old", *first[1:]] if isinstance(first, list) else torch.cat([first[:1].roll(1, -1) + 1, first[1:]])
    found = network({**given, name: changed}, COUNT)
    assert not (torch.equal(found.vector[0], base.vector[0]) and torch.equal(found.tokens[0], base.tokens[0]))
    torch.testing.assert_close(found.vector[1:], base.vector[1:])
    torch.testing.assert_close(found.tokens[1:], base.tokens[1:])
    other = slice(0, 2) if name != "coefficients" else slice(2, 10)
    assert torch.equal(found.tokens[:, other], base.tokens[:, other])


def test_gradients_reach_everything() -> None:
    network = conditioner()
    kept = {name: torch.tensor([True, True, False, True]) for name in INPUTS}
    context = network({**values(), "caption": ["words unheard of", "a young man", "", "he"]}, COUNT, kept)
    # a sum of squares would be symmetric under some changes; random weights are not
    loss = sum((part * torch.randn_like(part)).sum() for part in context)
    assert isinstance(loss, Tensor)
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_numbers_are_standardised() -> None:
    network = conditioner({"camera": INPUTS["camera"]})
    camera = 5 + 3 * torch.randn(1000, 25)
    camera[:, 4] = 7.0  # an intrinsic that never varies
    plain = network(
        {"camera": (camera - camera.mean(0)) / camera.std(0).where(camera.std(0) > 0, torch.ones(25))}, 1000
    )
    network.standardise("camera", camera.mean(dim=0), camera.std(dim=0))
    torch.testing.assert_close(network({"camera": camera}, 1000).vector, plain.vector)
    assert network.get_buffer("embeddings.camera.std")[4] == 1
    assert {"embeddings.camera.mean", "embeddings.camera.std"} <= network.state_dict().keys()


def test_an_empty_text_can_stand_for_none() -> None:
    network = conditioner({"caption": {**INPUTS["caption"], "null": "empty"}})
    empty = network({"caption": [""] * 2}, 2).tokens
    assert not list(network.nulls) and torch.equal(network({}, 2).tokens, empty)
    left_out = network({"caption": ["a man", "a woman"]}, 2, {"caption": torch.tensor([False, True])}).tokens
    torch.testing.assert_close(left_out[0], empty[0])
    assert not torch.equal(left_out[1], empty[1])


def test_the_same_numbers_again() -> None:
    """From its configuration, through JSON, and from the same seed."""
    network = conditioner(dropout=0.25)
    other = build_network(json.loads(json.dumps(network_config(network))))
    assert isinstance(other, Conditioner) and network_config(other) == network_config(network)
    assert (other.dropout, other.dropout_all) == (network.dropout, 0.25)
    other.load_state_dict(network.state_dict())
    for same in (other, conditioner()):
        for got, expected in zip(same(values(), COUNT), network(values(), COUNT), strict=True):
            assert torch.equal(got, expected)


NAN = torch.full((COUNT, 25), float("nan"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera": torch.zeros(COUNT, 24)}, r"camera: got shape \(4, 24\), expected numbers of shape \(4, 25\)"),
        ({"camera": torch.zeros(COUNT - 1, 25)}, r"camera: got shape \(3, 25\)"),
        (
            {"camera": NAN.where(torch.arange(COUNT)[:, None] > 1, 0)},
            "camera: numbers of 2 of 4 samples are not finite",
        ),
        ({"camera": [0.0] * 25}, "camera: got list, expected numbers"),
        (
            {"given": torch.zeros(COUNT, 2, 16)},
            r"given: got shape \(4, 2, 16\), expected .* \(4, 3, 16\)",
        ),
        ({"caption": ["one"]}, "caption: got 1 texts, expected 4"),
        ({"caption": "word"}, "caption: got str, expected a list with one text for each sample"),
        ({"caption": [["a"], ["b"], ["c"], ["d"]]}, "caption: got list, expected a list with one text"),
        ({"pose": torch.zeros(COUNT, 3)}, "conditions: got 'pose', expected camera, class, coefficients, caption"),
    ],
)
def test_wrong_values(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conditioner()({**values(), **changes}, COUNT)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "number", "size": 3}, "pose: got the kind 'number', expected one of numbers, class, text, tokens"),
        ({"kind": "numbers"}, "pose: expected its size"),
        ({"kind": "numbers", "size": 0}, "pose: got 0 as size"),
        ({"kind": "numbers", "size": 3, "form": "matrix"}, "pose: got the form 'matrix'"),
        (
            {"kind": "numbers", "size": 3, "token": 4},
            "pose: got 'token', expected kind, dropout, columns, size, form",
        ),
        ({"kind": "numbers", "size": 3, "dropout": 1.5}, "pose: got dropout 1.5, expected a chance from 0 to 1"),
        (
            {"kind": "tokens", "size": 8, "tokens": 2},
            "pose: got given tokens of width 8 as tokens, expected",
        ),
        ({"kind": "text", "null": "zero"}, "pose: got null 'zero', expected learned or empty"),
        ({"kind": "text", "heads": 3}, "pose: got tokens=48, layers=2, heads=3"),
        (
            {"kind": "text", "encoder": "nowhere"},
            "pose: encoder: got 'nowhere', which is no folder here",
        ),
    ],
)
def test_wrong_inputs(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conditioner({"pose": spec})


def test_wrong_names_and_statistics() -> None:
    for name in ("keys", "a.b", "Camera", ""):
        with pytest.raises(ValueError, match="conditioner: got an input called"):
            conditioner({name: INPUTS["camera"]})
    with pytest.raises(ValueError, match="got 0 inputs"):
        Conditioner({})
    with pytest.raises(ValueError, match="got 'caption', expected one of numbers: camera, coefficients"):
        conditioner().standardise("caption", torch.zeros(3), torch.ones(3))
    with pytest.raises(ValueError, match=r"statistics: got mean and std of shapes \(3,\) and \(25,\)"):
        conditioner().standardise("camera", torch.zeros(3), torch.ones(25))
    with pytest.raises(ValueError, match="not finite"):
        conditioner().standardise("camera", NAN[0], torch.ones(25))


@pytest.mark.parametrize("name", ["coefficients", "caption"])
def test_a_regressor_learns_to_use_a_condition(name: str) -> None:
    """A readout of the context finds what numbers or words say, and knows nothing where they are left out."""
    words = ["bald", "smiling", "young", "pale"]
    network = conditioner({name: {**INPUTS[name], "tokens": 7}})
    readout = nn.Linear(16 * 7, 1)
    optimizer = torch.optim.Adam([*network.parameters(), *readout.parameters()], lr=0.01)
    generator = torch.Generator().manual_seed(2)

    def batch() -> tuple[Any, Tensor]:
        if name == "coefficients":
            numbers = torch.randn(64, 6, generator=generator)
            return numbers, (numbers[:, 1] - numbers[:, 4]) / 2**0.5
        said = torch.rand(64, 4, generator=generator) < 0.5
        texts = ["she is " + ", ".join(w for w, s in zip(words, row, strict=True) if s) for row in said.tolist()]
        return texts, said[:, 2].float() * 2 - 1

    def error(texts: Any, truth: Tensor, kept: Tensor | None = None) -> Tensor:
        tokens = network({name: texts}, 64, None if kept is None else {name: kept}).tokens
        return (readout(tokens.flatten(1)).squeeze(1) - truth).square().mean()

    for _ in range(150):
        optimizer.zero_grad()
        error(*batch(), torch.rand(64, generator=generator) > 0.1).backward()
        optimizer.step()
    given = batch()
    assert error(*given) < 0.25
    assert error(*given, torch.zeros(64, dtype=torch.bool)) > 0.8
