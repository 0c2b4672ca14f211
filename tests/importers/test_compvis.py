"""Layouts of CompVis that the golden files do not have, what lies around the tensors, and files that do not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from facegen.checkpoint import network_config
from facegen.importers import compvis_names as names
from facegen.importers.compvis import load_compvis
from facegen.importers.foreign import load_foreign
from facegen.networks.diffusion.conditioner import Conditioner
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator
from tests.importers.published import checkpoint_of, config_of, latent_diffusion, published, save

TOKENS = {"head_channels": None, "num_heads": 4, "token_dim": 8}


def context(width: int = 8) -> dict[str, Any]:
    """The configuration of a conditioner, as an import without a text encoder makes it."""
    inputs = {"context": {"kind": "tokens", "size": width, "tokens": 77}}
    return network_config(Conditioner(inputs, width))


def saved(folder: Path, model: LatentGenerator, **params: Any) -> Path:
    (folder / "model.yaml").write_text(yaml.safe_dump(config_of(model, **params)))
    return save(folder / "model.ckpt", checkpoint_of(model))


def same(ours: LatentGenerator, model: LatentGenerator) -> None:
    found, expected = ours.state_dict(), model.state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        if not name.startswith("conditioner."):
            assert torch.equal(found[name], tensor), name


LAYOUTS: dict[str, Callable[[], LatentGenerator]] = {
    "plain": latent_diffusion,
    "attention_at_levels": lambda: latent_diffusion({"kind": "vq", "attention": (False, True)}),
    "attention_in_all_levels": lambda: latent_diffusion({"attention": (True, True)}),
    "no_attention": lambda: latent_diffusion({"kind": "vq", "mid_attention": False}),
    "conv_projections": lambda: latent_diffusion(unet=TOKENS, conditioner=context()),
    "linear_projections_and_v": lambda: latent_diffusion(
        unet={"token_dim": 8, "linear_projection": True, "depth": 2}, conditioner=context(), process={"objective": "v"}
    ),
    "three_levels": lambda: latent_diffusion(
        {"channels": (32, 32, 64), "blocks": 2},
        {"channels": (32, 64, 64), "blocks": 2, "attention": (True, False, True)},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_published_layouts(layout: str, tmp_path: Path) -> None:
    model = LAYOUTS[layout]()
    ours = load_compvis(saved(tmp_path, model))
    assert isinstance(ours, LatentGenerator)
    same(ours, model)
    assert ours.process.settings == model.process.settings
    x, t = torch.randn(2, *model.latent_shape), torch.tensor([3, 800])
    told = model.embed({}, 2)
    torch.testing.assert_close(ours.predict(x, t, told), model.predict(x, t, told), rtol=0, atol=0)
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(ours.first_stage(images).images, model.first_stage(images).images, rtol=0, atol=0)


@pytest.mark.parametrize("linear", [False, True])
def test_names_are_those_that_diffusers_gives(linear: bool) -> None:
    """Its converters were written by others; they know no plain attention in a UNet and none at levels of a VAE."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

    model = latent_diffusion(
        {"blocks": 2},
        {**TOKENS, "blocks": 2, "linear_projection": linear},
        conditioner=context(),
    )
    pairs = [
        (model.denoiser, "model.diffusion_model.", convert_ldm_unet_checkpoint),
        (model.first_stage, "first_stage_model.", convert_ldm_vae_checkpoint),
    ]
    for network, prefix, convert in pairs:
        state = {prefix + name: tensor for name, tensor in published(network).items()}
        theirs = convert(state, dict(network.model.config))
        ours: dict[str, Tensor] = network.model.state_dict()
        assert theirs.keys() == ours.keys()
        assert all(torch.equal(theirs[name].reshape(ours[name].shape), ours[name]) for name in ours)


def test_names_that_no_converter_knows() -> None:
    modules = names.first_stage(levels=3, blocks=2)
    assert modules["encoder.down.2.attn.1.q"] == "encoder.down_blocks.2.attentions.1.to_q"
    assert modules["decoder.up.2.attn.2.proj_out"] == "decoder.up_blocks.0.attentions.2.to_out.0"
    assert modules["decoder.up.0.attn.0.norm"] == "decoder.up_blocks.2.attentions.0.group_norm"
    modules = names.unet(names.Layout(levels=2, blocks=1, depth=0))
    assert modules["input_blocks.3.1.v"] == "down_blocks.1.attentions.0.to_v"
    assert modules["output_blocks.3.1.norm"] == "up_blocks.1.attentions.1.group_norm"


def test_scale_measured_in_training(tmp_path: Path) -> None:
    model = latent_diffusion()
    path = saved(tmp_path, model, scale_factor=0.5)
    assert load_compvis(path).first_stage.scaling_factor == 0.5  # type: ignore[union-attr]
    save(path, {**checkpoint_of(model), "scale_factor": torch.tensor(0.23)})
    assert load_compvis(path).first_stage.scaling_factor == torch.tensor(0.23)  # type: ignore[union-attr]


def test_order_of_joint_projections(tmp_path: Path) -> None:
    model = latent_diffusion()
    state = checkpoint_of(model)
    name = "model.diffusion_model.middle_block.1.qkv"
    for kind in ("weight", "bias"):
        state[f"{name}.{kind}"] = state[f"{name}.{kind}"].unflatten(0, (-1, 3, 16)).transpose(0, 1).flatten(0, 2)
        for block in ("input_blocks.3.1", "output_blocks.0.1", "output_blocks.1.1"):
            other = f"model.diffusion_model.{block}.qkv.{kind}"
            state[other] = state[other].unflatten(0, (-1, 3, 16)).transpose(0, 1).flatten(0, 2)
    content = config_of(model)
    content["model"]["params"]["unet_config"]["params"]["use_new_attention_order"] = True
    (tmp_path / "new.config.json").write_text(json.dumps(content))
    same(load_compvis(save(tmp_path / "new.ckpt", state)), model)  # type: ignore[arg-type]


def test_heads_by_their_number(tmp_path: Path) -> None:
    """A number of heads serves where all attention has one width."""
    model = latent_diffusion()
    path = saved(tmp_path, model)
    content = config_of(model)
    params = content["model"]["params"]["unet_config"]["params"]
    del params["num_head_channels"]
    (tmp_path / "model.yaml").write_text(yaml.safe_dump({**content, "model": {**content["model"]}}))
    params["num_heads"] = 4
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(content))
    same(load_compvis(path), model)  # type: ignore[arg-type]


def test_averages_and_a_choice(tmp_path: Path) -> None:
    model, other = latent_diffusion(), latent_diffusion()
    for tensor in other.denoiser.state_dict().values():
        tensor.mul_(0.5)
    state = checkpoint_of(model)
    shadows = {
        f"model_ema.{'diffusion_model.' + name}".replace(".", "").replace("model_ema", "model_ema.", 1): tensor
        for name, tensor in published(other.denoiser).items()
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_of(model)))
    counts = {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(7)}
    path = save(tmp_path / "last.ckpt", {**state, **shadows, **counts})
    same(load_compvis(path), other)  # type: ignore[arg-type]
    same(load_compvis(path, average=False), model)  # type: ignore[arg-type]
    del shadows[next(iter(shadows))]
    save(path, {**state, **shadows})
    with pytest.raises(ValueError, match=r"no average of .*average=false"):
        load_compvis(path)


def test_a_first_stage_alone_needs_no_configuration(tmp_path: Path) -> None:
    stage = latent_diffusion({"attention": (False, True)}).first_stage
    losses = {"loss.logvar": torch.zeros(()), "loss.discriminator.main.0.weight": torch.zeros(4, 3, 4, 4)}
    path = tmp_path / "kl.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in {**published(stage), **losses}.items()}, path)
    found = load_foreign(path)
    assert isinstance(found, FirstStage)
    assert all(torch.equal(found.state_dict()[name], tensor) for name, tensor in stage.state_dict().items())


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "other widths": (lambda p: p["unet_config"]["params"].update(model_channels=64), "it says channels .*the weights"),
    "other attention": (lambda p: p["unet_config"]["params"].update(attention_resolutions=[1]), "it says attention"),
    "no heads": (lambda p: p["unet_config"]["params"].pop("num_head_channels"), "neither num_heads nor"),
    "heads that do not divide": (
        lambda p: p["unet_config"]["params"].update(num_head_channels=48), "channels per head"
    ),
    "another schedule": (lambda p: p.update(linear_end=0.03), "noise schedule in it is not that"),
    "another predicted": (lambda p: p.update(parameterization="x0"), "parameterization=x0"),
    "another schedule's name": (lambda p: p.update(beta_schedule="sqrt"), "beta_schedule=sqrt"),
    "concatenation": (lambda p: p.update(conditioning_key="concat"), "conditioning_key=concat"),
    "other blocks": (lambda p: p["unet_config"]["params"].update(resblock_updown=True), "resblock_updown=True"),
    "no number": (lambda p: p.update(linear_start="little"), "linear_start=little, expected a number"),
    "no list": (lambda p: p["unet_config"]["params"].update(channel_mult=2), "channel_mult=2, expected a list"),
    "another first stage": (
        lambda p: p["first_stage_config"]["params"]["ddconfig"].update(ch=64), "it says channels .*first stage"
    ),
    "linear attention": (
        lambda p: p["first_stage_config"]["params"]["ddconfig"].update(attn_type="linear"), "attn_type=linear"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> LatentGenerator:
    return latent_diffusion()


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(ValueError) as caught:
        load_compvis(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", WRONG)
def test_configurations_of_other_files(name: str, model: LatentGenerator, tmp_path: Path) -> None:
    change, message = WRONG[name]
    content = config_of(model)
    change(content["model"]["params"])
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(content))
    path = save(tmp_path / "model.ckpt", checkpoint_of(model))
    with pytest.raises(ValueError, match=message):
        load_compvis(path, tmp_path / "other.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: [", "is not a configuration"),
        ("!!python/object/apply:os.system ['touch touched']", "is not a configuration"),
        ("- 1", "no entry `model`"),
        ("x" * 2**21, "at most"),
    ],
)
def test_files_that_are_no_configuration(
    text: str, message: str, model: LatentGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text)
    path = save(tmp_path / "m.ckpt", checkpoint_of(model))
    assert message in refused(path, config=tmp_path / "c.yaml")
    assert "does not exist" in refused(path, config=tmp_path / "n.yaml") or "cannot be read" in refused(
        path, config=tmp_path / "n.yaml"
    )
    assert not (tmp_path / "touched").exists()


def test_tensors_that_do_not_fit(model: LatentGenerator, tmp_path: Path) -> None:
    path, state = saved(tmp_path, model), checkpoint_of(model)
    name = "model.diffusion_model.out.2.weight"
    changes: dict[str, tuple[dict[str, Tensor], str]] = {
        "missing": (
            {key: tensor for key, tensor in state.items() if key != name},
            "no weights for denoiser.model.conv_out",
        ),
        "strange": ({**state, "model.diffusion_model.extra.weight": torch.zeros(3)}, "extra.weight, which no such"),
        "shape": ({**state, name: torch.zeros(3, 32, 5, 5)}, "expected (3, 32, 3, 3)"),
        "not finite": ({**state, name: torch.full_like(state[name], torch.nan)}, "not finite"),
        "classes": ({**state, "model.diffusion_model.label_emb.0.0.weight": torch.zeros(8, 8)}, "label_emb"),
        "half": ({name: state[name]}, "no tensor input_blocks.0.0.weight"),
    }
    for changed, message in changes.values():
        text = refused(save(path, changed))
        assert message in text and str(path) in text


def test_a_unet_that_is_not_known_needs_a_configuration(model: LatentGenerator, tmp_path: Path) -> None:
    assert "config=PATH.yaml" in refused(save(tmp_path / "model.ckpt", checkpoint_of(model)))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["lora_unet_down_blocks_0.lora_down.weight"], "LoRA"),
        (["down_blocks.0.resnets.0.conv1.weight"], "give its folder"),
        (["conditioner.embedders.0.transformer.weight"], "XL"),
        (["weight"], "neither a UNet nor a first stage"),
    ],
)
def test_other_files(keys: list[str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(2, 2) for name in keys}, path)
    with pytest.raises(ValueError, match=message):
        load_foreign(path)
