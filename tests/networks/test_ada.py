"""What must hold for the augmentation whatever the reference says."""

from typing import Any

import pytest
import torch

from facegen.networks.ada import AUGMENT_PRESETS, AdaController, AugmentPipe


def _pipe(p: float = 1.0, **arguments: Any) -> AugmentPipe:
    pipe = AugmentPipe(**arguments)
    pipe.p.fill_(p)
    return pipe


def _recorded_draws(seed):
    """The same random numbers, however often they are asked for."""
    generator = torch.Generator().manual_seed(seed)

    def rand(shape, device):
        return torch.rand(shape, generator=generator, device=device)

    def randn(shape, device):
        return torch.randn(shape, generator=generator, device=device)

    return {"rand": rand, "randn": randn}


def test_presets_name_arguments_and_grow():
    for arguments in AUGMENT_PRESETS.values():
        AugmentPipe(**arguments)
    assert AUGMENT_PRESETS["bg"].keys() < AUGMENT_PRESETS["bgc"].keys() < AUGMENT_PRESETS["bgcfnc"].keys()
    assert len(AUGMENT_PRESETS["bgcfnc"]) == 15


def test_without_probability_nothing_happens():
    images = torch.randn(3, 3, 32, 32)
    assert torch.equal(_pipe(0.0, **AUGMENT_PRESETS["bgc"])(images), images)
    assert torch.allclose(_pipe(0.0, **AUGMENT_PRESETS["bgcfnc"])(images), images, atol=1e-5)


def test_probability_is_that_of_the_gates():
    torch.manual_seed(0)
    images = torch.randn(400, 1, 8, 8)
    changed = (_pipe(0.3, brightness=1)(images) != images).flatten(1).any(dim=1).float().mean()
    assert changed == pytest.approx(0.3, abs=0.08)


def test_a_shift_by_whole_pixels_is_exact():
    images = torch.randn(1, 3, 16, 16)
    shifted = _pipe(xint=1)(images, debug_percentile=1.0)  # two pixels right and down
    assert torch.allclose(shifted[:, :, 2:, 2:], images[:, :, :-2, :-2], atol=1e-5)


def test_a_turn_by_quarters_comes_back():
    images = torch.nn.functional.avg_pool2d(torch.randn(1, 3, 40, 40), 9, 1)  # smooth: a turn is not pixel exact
    turn = _pipe(rotate90=1)
    half = turn(turn(images, debug_percentile=0.3), debug_percentile=0.3)
    assert torch.allclose(half, turn(images, debug_percentile=0.6), atol=2e-2)
    assert torch.allclose(turn(images, debug_percentile=0.3), images.rot90(1, [2, 3]), atol=2e-2)


def test_samples_that_stay_are_untouched_among_others():
    images = torch.randn(6, 3, 16, 16)
    gates = torch.tensor([0.0, 0.9, 0.0, 0.9, 0.9, 0.0])
    augmented = _pipe(0.5, scale=1)(
        images, rand=lambda shape, device: gates.reshape(shape), randn=lambda shape, device: torch.ones(shape)
    )
    assert (augmented != images).flatten(1).any(dim=1).tolist() == [True, False, True, False, False, True]
    alone = _pipe(0.5, scale=1)(
        images[:1], rand=lambda shape, device: gates[:1], randn=lambda shape, device: torch.ones(shape)
    )
    assert torch.allclose(augmented[:1], alone, atol=1e-5)


def test_gray_stays_gray_under_hue_and_saturation():
    gray = torch.randn(4, 1, 8, 8).expand(-1, 3, -1, -1)
    torch.manual_seed(1)
    assert torch.allclose(_pipe(hue=1, saturation=1)(gray), gray, atol=1e-5)
    assert not torch.allclose(_pipe(hue=1)(torch.randn(4, 3, 8, 8)), gray, atol=1e-1)


def test_cutout_removes_its_square():
    images = torch.ones(1, 3, 16, 16)
    cut = _pipe(cutout=1, cutout_size=0.5)(images, debug_percentile=0.5)
    assert cut[:, :, 4:12, 4:12].abs().sum() == 0
    assert cut.sum() == images.sum() * 0.75


def test_noise_has_its_strength():
    torch.manual_seed(0)
    noise = _pipe(noise=1, noise_std=0.2)(torch.zeros(64, 3, 16, 16))
    assert noise.square().mean().sqrt() == pytest.approx(0.2, rel=0.2)


def test_second_derivative_goes_through():
    torch.manual_seed(0)
    images = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    pipe = _pipe(**AUGMENT_PRESETS["bgc"]).double()

    def squares(images):
        return pipe(images, debug_percentile=0.3).square()

    assert torch.autograd.gradcheck(squares, images)
    assert torch.autograd.gradgradcheck(squares, images)


def test_every_transformation_passes_a_penalty_on_gradients():
    torch.manual_seed(0)
    images = torch.randn(4, 3, 32, 32, requires_grad=True)
    weight = torch.randn(3, 32, 32, requires_grad=True)
    logits = (_pipe(0.7, **AUGMENT_PRESETS["bgcfnc"])(images) * weight).sum(dim=[1, 2, 3])
    (grad,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(grad.square().sum(), weight)
    assert torch.isfinite(second).all()
    assert second.abs().max() > 0


def test_channels_last_and_half_precision_give_the_same_pictures():
    images = torch.randn(4, 3, 24, 24)
    pipe = _pipe(**AUGMENT_PRESETS["bgcfnc"])
    plain = pipe(images, **_recorded_draws(0))
    last = pipe(images.contiguous(memory_format=torch.channels_last), **_recorded_draws(0))
    assert torch.allclose(plain, last, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.allclose(plain, pipe(images, **_recorded_draws(0)), atol=1e-5)
    assert pipe(images.bfloat16(), **_recorded_draws(0)).dtype == torch.float32


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        _pipe()(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="got 4 channels"):
        _pipe(brightness=1)(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ValueError, match="more than 21 pixels"):
        _pipe(imgfilter=1)(torch.zeros(1, 3, 16, 16))
    with pytest.raises(ValueError, match="inside"):
        _pipe(scale=1)(torch.zeros(1, 3, 16, 16), debug_percentile=0.0)
    with pytest.raises(ValueError, match="imgfilter_bands"):
        AugmentPipe(imgfilter_bands=[1, 1])


def test_controller_goes_both_ways_and_never_below_zero():
    p, controller = torch.tensor(0.0), AdaController(target=0.5, kimg=1, interval=1)
    controller.observe(torch.ones(8, 1))
    assert controller.step(p, batch_size=100)
    assert p.item() == pytest.approx(0.1)
    for _ in range(2):
        controller.observe(-torch.ones(8, 1))
        controller.step(p, batch_size=100)
    assert p.item() == 0


def test_controller_waits_for_its_interval_and_for_signs():
    p, controller = torch.tensor(0.25), AdaController(interval=3)
    assert [controller.step(p, batch_size=32) for _ in range(6)] == [False, False, True] * 2
    assert p.item() == 0.25  # nothing observed, nothing changed


def test_controller_continues_from_its_state():
    p, controller = torch.tensor(0.5), AdaController(target=0.0, kimg=1, interval=2)
    controller.observe(torch.tensor([3.0, 1.0, -1.0]))
    controller.step(p, batch_size=10)
    resumed = AdaController(target=0.0, kimg=1, interval=2)
    resumed.load_state_dict(controller.state_dict())
    resumed.observe(torch.tensor([-1.0]))  # the mean sign is 0 now, which is the target
    assert resumed.mean_sign == 0
    assert resumed.step(p, batch_size=10)
    assert p.item() == 0.5


def test_controller_sums_over_processes():
    p, controller = torch.tensor(0.0), AdaController(target=0.0, kimg=1, interval=1)
    controller.observe(torch.ones(4))  # here all positive; elsewhere eight negative
    controller.step(p, batch_size=10, reduce=lambda sums: sums + torch.tensor([-8.0, 8.0]))
    assert p.item() == 0
    assert controller.num_signs == 0
