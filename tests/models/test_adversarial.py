"""What the shared training code promises: processes agree, gradients are guarded, draws are functions of the clock."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from facegen.models import TrainingDiverged
from facegen.models.draws import Draws
from facegen.models.statistics import RunningMeans
from facegen.models.stylegan2 import auto_gamma
from tests.models.tiny import camera_labels, tiny_eg3d, tiny_model
from tests.programs import in_processes

BATCH = 8


class Still:
    """An optimiser that leaves the weights alone, so that gradients can be looked at."""

    def zero_grad(self, set_to_none: bool = True) -> None: ...

    def step(self) -> None: ...


MODELS: dict[str, Any] = {"stylegan2": tiny_model, "eg3d": tiny_eg3d}


def gradients(kind: str, rank: int = 0, world_size: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = MODELS[kind](BATCH, micro_batch=None).train()
    labels = camera_labels(BATCH)[:, : model.generator.c_dim]
    if kind == "eg3d":
        model._label_pool = camera_labels(32, seed=1)
    real = torch.rand(BATCH, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    real = real[rank::world_size]
    found = {}
    for phase in model.phases:
        model.zero_grad(set_to_none=True)
        model.run_phase(phase, Still(), real, labels[rank::world_size], model.draws())
        network = model.generator if phase.network == "generator" else model.discriminator
        named = network.named_parameters()
        found.update({f"{phase.name}/{name}": p.grad.clone() for name, p in named if p.grad is not None})
    found["w_avg"] = model.mapping.w_avg.clone()
    return found if kind == "eg3d" else {**found, "pl_mean": model.pl_mean.clone()}


def _worker(rank: int, world_size: int, folder: str, kind: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world_size)
    found = gradients(kind, rank, world_size)
    if rank == 0:
        torch.save(found, Path(folder) / "gradients.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("kind", MODELS)
def test_two_processes_have_the_gradients_of_one(tmp_path: Path, kind: str) -> None:
    in_processes(_worker, 2, str(tmp_path), kind)
    ours = torch.load(tmp_path / "gradients.pt", weights_only=True)
    for name, expected in gradients(kind).items():
        scale = expected.abs().max().item()
        torch.testing.assert_close(ours[name], expected, rtol=1e-4, atol=1e-5 * scale + 1e-7, msg=name)


def test_draws_depend_on_seed_and_clock_only() -> None:
    assert torch.equal(Draws(1, 64).randn([3, 4]), Draws(1, 64).randn([3, 4]))
    for other in (Draws(2, 64), Draws(1, 96)):
        assert not torch.equal(Draws(1, 64).randn([3, 4]), other.randn([3, 4]))


def test_draws_are_dealt_like_images() -> None:
    whole = Draws(0, 0).rand([6, 2])
    parts = [Draws(0, 0, rank=rank, world_size=3).rand([2, 2]) for rank in range(3)]
    assert all(torch.equal(part, whole[rank::3]) for rank, part in enumerate(parts))
    assert len({Draws(0, 0, rank=rank, world_size=3).cutoff(1, 100) for rank in range(3)}) == 1


def test_non_finite_gradients_are_named_and_end_the_run() -> None:
    model = tiny_model(max_nonfinite=2)
    phase = model.phases[0]
    said: list[str] = []
    model.print = lambda *words: said.append(" ".join(map(str, words)))  # type: ignore[method-assign]
    for parameter in model.generator.parameters():
        parameter.grad = torch.zeros_like(parameter)
    broken: Any = dict(model.generator.named_parameters())["synthesis.b8.conv0.weight"]
    broken.grad[0, 0, 0, 0], broken.grad[0, 0, 0, 1] = float("nan"), float("inf")
    model.guard_gradients(phase, model.generator)
    assert model.nonfinite_steps == 1 and "synthesis.b8.conv0.weight" in said[0]
    assert broken.grad[0, 0, 0, 0] == 0 and broken.grad[0, 0, 0, 1] == 1e5
    broken.grad[0, 0, 0, 0] = float("nan")
    with pytest.raises(TrainingDiverged, match=r"synthesis\.b8\.conv0\.weight"):
        model.guard_gradients(phase, model.generator)


def test_micro_batches_have_the_gradients_of_their_mean() -> None:
    torch.manual_seed(0)
    model = tiny_model(BATCH, micro_batch=4, augment="none", style_mixing_prob=0.0).train()
    real = torch.rand(BATCH, 3, 16, 16) * 2 - 1
    phase = next(p for p in model.phases if p.name == "Dreg")
    labels = torch.zeros(BATCH, 0)
    model.run_phase(phase, Still(), real, labels, model.draws())
    whole = {name: p.grad.clone() for name, p in model.discriminator.named_parameters() if p.grad is not None}
    halves: list[dict[str, Tensor]] = []
    model.micro_batch = None
    for part in (slice(0, 4), slice(4, 8)):
        model.discriminator.zero_grad(set_to_none=True)
        model.run_phase(phase, Still(), real[part], labels[part], model.draws())
        halves.append({n: p.grad.clone() for n, p in model.discriminator.named_parameters() if p.grad is not None})
    for name, gradient in whole.items():
        torch.testing.assert_close(gradient, (halves[0][name] + halves[1][name]) / 2, rtol=1e-4, atol=1e-6)


def test_statistics_survive_a_checkpoint() -> None:
    means = RunningMeans()
    means.add("a", torch.tensor([1.0, 2.0]))
    other = RunningMeans()
    other.restore(means.state())
    for each in (means, other):
        each.add("a", torch.tensor([6.0]))
        assert each.means() == {"a": 3.0}


def test_auto_gamma_is_the_published_heuristic() -> None:
    assert auto_gamma(256, 64) == pytest.approx(0.0002 * 256**2 / 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"precision": "64"}, "bf16-mixed"), ({"augment": "some"}, "ada, fixed or none"), ({"augment_set": "x"}, "bgc")],
)
def test_bad_arguments_say_what_is_expected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_model(**changes)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_half_precision_trains_on_a_cpu(precision: str) -> None:
    networks = {"channel_base": 128, "channel_max": 16, "num_fp16_res": 2, "conv_clamp": 256}
    torch.manual_seed(0)
    model = tiny_model(
        4,
        precision=precision,
        generator={"z_dim": 16, "w_dim": 16, "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": networks},
        discriminator=networks,
    ).train()
    seen: set[torch.dtype] = set()
    block: Any = model.generator.get_submodule("synthesis.b16.conv1")
    block.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    real = torch.rand(4, 3, 16, 16) * 2 - 1
    for phase in model.phases:
        model.run_phase(phase, Still(), real, torch.zeros(4, 0), model.draws())
        network = model.generator if phase.network == "generator" else model.discriminator
        assert all(bool(p.grad.isfinite().all()) for p in network.parameters() if p.grad is not None)
    assert seen == {torch.bfloat16 if precision == "bf16-mixed" else torch.float16}
