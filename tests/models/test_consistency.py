"""The loss on what a frozen network sees: it reaches the generator, falls, and costs nothing where it is off."""

from pathlib import Path
from typing import Any

import pytest
import torch

from facegen.models import EG3D
from facegen.models.consistency import Consistency
from tests.models.test_adversarial import Still
from tests.models.tiny import camera_labels, tiny_eg3d
from tests.morphable.test_regressor import small_export, small_regressor


def model_with(consistency: Consistency | None, **changes: Any) -> EG3D:
    torch.manual_seed(0)
    model = tiny_eg3d(4, augment="none", **changes).train()
    model._label_pool = camera_labels(16, seed=1)
    model.consistency = consistency
    return model


def loss_of(pose: float = 1.0, identity: float = 1.0, warmup_kimg: float = 0.0, every: int = 1) -> Consistency:
    return Consistency(small_regressor(), pose, identity, warmup_kimg, every)


def after_a_step(consistency: Consistency | None) -> dict[str, torch.Tensor]:
    """Gradients of every phase of one step."""
    model, found = model_with(consistency), {}
    real, labels, draws = torch.rand(4, 3, 16, 16), camera_labels(4), model.draws()
    for phase in model.phases:
        model.zero_grad(set_to_none=True)
        model.run_phase(phase, Still(), real, labels, draws)
        named = [*model.generator.named_parameters(), *model.discriminator.named_parameters()]
        found |= {f"{phase.name}/{name}": p.grad.clone() for name, p in named if p.grad is not None}
    return found


def test_gradients_reach_the_generator() -> None:
    model = model_with(loss_of())
    labels = model.sample_labels(4, model.draws())
    model.generator.requires_grad_(True)
    model.consistency_loss(4, labels, model.draws()).backward()
    reached = {
        name.split(".")[0] for name, p in model.generator.named_parameters() if p.grad is not None and p.grad.any()
    }
    assert {"backbone", "superresolution", "decoder"} <= reached
    assert model.consistency is not None
    assert all(p.grad is None for p in model.consistency.regressor.network.parameters())


@pytest.mark.parametrize("off", [None, (0.0, 0.0)])
def test_without_weight_training_is_the_same_to_the_bit(off: tuple[float, float] | None) -> None:
    expected = after_a_step(None)
    found = after_a_step(None if off is None else loss_of(*off))
    assert all(torch.equal(found[name], value) for name, value in expected.items()) and found.keys() == expected.keys()
    on = after_a_step(loss_of())
    assert any(not torch.equal(on[name], value) for name, value in expected.items() if name.startswith("Gmain"))


def test_a_few_steps_reduce_it() -> None:
    model = model_with(loss_of(pose=1.0, identity=0.0))
    model.generator.requires_grad_(True)
    optimizer = torch.optim.Adam(model.generator.parameters(), lr=2e-3)
    losses = []
    for _ in range(25):
        draws = model.draws()  # the same faces and cameras in each step
        loss = model.consistency_loss(4, model.sample_labels(4, draws), draws)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_it_warms_up_and_comes_every_so_many_batches() -> None:
    loss = loss_of(warmup_kimg=0.1, every=4)
    assert [loss.weight(seen, 8) for seen in (0, 8, 16, 24)] == [0, 0, 0, 0]
    assert loss.weight(32, 8) == pytest.approx(4 * 0.32) and loss.weight(40, 8) == 0
    assert loss.weight(3200, 8) == 4
    assert loss_of(0, 0).weight(3200, 8) == 0


def test_only_a_loss_that_is_on_belongs_to_the_configuration() -> None:
    off, on = model_with(None), model_with(loss_of())
    assert off.configuration() == model_with(loss_of(0, 0)).configuration()
    assert on.configuration()["consistency"] == [1.0, 1.0, 0.0, 1]
    assert on.state_dict().keys() == off.state_dict().keys()


def test_a_model_loads_it_by_name(tmp_path: Path) -> None:
    model = tiny_eg3d(consistency={"regressor": str(small_export(tmp_path)), "pose": 0.2, "every": 2})
    assert model.consistency is not None and model.consistency.settings() == [0.2, 0.1, 20000.0, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0,), "consistency.pose: got -1.0"),
        ((1, 1, float("nan")), "warmup_kimg"),
        ((1, 1, 1, 0), "number of batches"),
    ],
)
def test_bad_arguments_say_what_is_expected(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Consistency(small_regressor(), *arguments)
