"""Tiny random models of every kind that diffusers has a pipeline for."""

from pathlib import Path
from typing import Any

from facegen.checkpoint import network_config
from facegen.networks.diffusion.conditioner import Conditioner
from facegen.networks.diffusion.control import ControlBranch
from facegen.networks.diffusion.first_stage import FirstStage
from facegen.networks.diffusion.generator import LatentGenerator
from facegen.networks.diffusion.unet import UNet
from tests.importers.published import randomised

NUMBERS = {"kind": "numbers", "size": 5, "form": "tokens", "tokens": 3}
UNET: dict[str, Any] = {"channels": (32, 64), "blocks": 1, "attention": (False, True), "norm_groups": 8}


def tiny(
    kind: str = "kl",
    inputs: dict[str, Any] | None = None,
    controls: tuple[str, ...] = (),
    unet: dict[str, Any] | None = None,
    control: dict[str, Any] | None = None,
    **more: Any,
) -> LatentGenerator:
    """32 pixels. inputs: of the conditioner. unet, control: other arguments of the denoiser and of branches."""
    stage = FirstStage(kind, 32, 3, (32, 32, 64), 1, 16, 16, scaling_factor=0.3 if kind == "kl" else 1.0)  # type: ignore[arg-type]
    conditioner = Conditioner(inputs, 24) if inputs else None
    dims = {"vector_dim": conditioner.vector_dim, "token_dim": conditioner.token_dim} if conditioner else {}
    denoiser = UNet(3, size=8, **{**UNET, "head_channels": 16, **dims, **(unet or {})})
    branches = {name: network_config(ControlBranch(denoiser.init_kwargs, **(control or {}))) for name in controls}
    return randomised(
        LatentGenerator(
            network_config(stage),
            network_config(denoiser),
            None if conditioner is None else network_config(conditioner),
            controls=branches,
            **more,
        )
    )


def prompted(folder: Path) -> dict[str, Any]:
    """Inputs of a conditioner that is told by prompts alone, as Stable Diffusion is, with a random CLIP in a folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

    words = ["</s>", "<s>", "a", "young", "man"]
    made: Any = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="a"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="</s>", model_max_length=6)
    tokenizer.save_pretrained(folder / "tokenizer")
    sizes: dict[str, Any] = {
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
    }
    tokens: dict[str, Any] = {
        "vocab_size": len(words),
        "max_position_embeddings": 6,
        "bos_token_id": 1,
        "eos_token_id": 0,
    }
    randomised(CLIPTextModel(CLIPTextConfig(**sizes, **tokens, pad_token_id=0))).save_pretrained(
        folder / "text_encoder"
    )
    return {"caption": {"kind": "text", "encoder": str(folder), "null": "empty", "tokens": 6}}
