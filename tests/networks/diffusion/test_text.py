"""Texts as embeddings: words that everybody knows, CLIP and T5 made on the spot."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facegen.checkpoint import build_network, network_config
from facegen.data import captions
from facegen.networks.diffusion.caption_words import WORDS
from facegen.networks.diffusion.conditioner import Conditioner
from facegen.networks.diffusion.pretrained_text import text_folder
from facegen.networks.diffusion.text import WordEncoder

TEXTS = ["a young man", "she wears eyeglasses and has wavy hair", ""]
_SPOKEN = "a young man she wears eyeglasses and has wavy hair"
VOCABULARY = ["<pad>", "</s>", "<unk>", "<s>", *_SPOKEN.split()]


def words(**arguments: Any) -> WordEncoder:
    torch.manual_seed(0)
    return WordEncoder(16, **{"length": 8, "buckets": 64, **arguments})


def encoded(encoder: WordEncoder, texts: list[str]) -> Tensor:
    return encoder(texts, torch.device("cpu")).tokens


def test_every_word_of_our_captions_has_a_number_of_its_own() -> None:
    spoken = " ".join([*captions.TEMPLATES, captions.TEMPLATE_ALL, *captions.IS_VERBS, *captions.HAS_VERBS])
    for part in "{S}", "{IS}", "{HAS}", "{WEAR}", "{isV}", "{haveV}", "{wearV}":
        spoken = spoken.replace(part, " ")
    subjects = [subject for some in captions.SUBJECTS.values() for subject in some]
    attributes = (name.replace("_", " ") for name in (*captions.IS, *captions.HAS, *captions.WEARS))
    said = " ".join([spoken, *captions.WEARS_VERBS, *subjects, *attributes, "an"]).lower().replace(".", " ")
    assert not set(said.replace(",", " ").split()) - set(WORDS)
    assert len(set(WORDS)) == len(WORDS)


def test_numbers_of_words() -> None:
    encoder = words()
    numbers = encoder.numbers(["A young, MAN!", "a young man", "", "zyxw a café", " ".join(["young"] * 50)])
    assert torch.equal(numbers[0], numbers[1])  # neither case nor punctuation counts
    assert numbers[2].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]  # the start alone
    known = 2 + len(WORDS)
    assert known <= numbers[3, 1] < known + 64 and known <= numbers[3, 3] < known + 64
    assert numbers[3, 2] == numbers[0, 1] == 2 + WORDS.index("a")
    assert numbers[4].tolist() == [1, *[2 + WORDS.index("young")] * 7]
    # Checksums, not Python's hashes: the same in every process.
    assert numbers[3].tolist()[:4] == [1, known + 1466030938 % 64, numbers[0, 1].item(), known + 2561491637 % 64]


def test_padding_and_neighbours_change_nothing() -> None:
    """A text's states are the same among others, and with more room after its end."""
    encoder, roomy = words(), words(length=20)
    roomy.load_state_dict({**encoder.state_dict(), "position": torch.cat([encoder.position, torch.randn(12, 16)])})
    together = encoded(encoder, TEXTS)
    for row, (text, count) in enumerate(zip(TEXTS, (4, 8, 1), strict=True)):
        torch.testing.assert_close(encoded(encoder, [text])[0], together[row], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(encoded(roomy, [text])[0, :count], together[row, :count], atol=1e-5, rtol=1e-5)
    pooled = encoder(TEXTS, torch.device("cpu")).pooled
    torch.testing.assert_close(pooled[0], together[0, :4].mean(dim=0))


def test_the_order_of_words_counts() -> None:
    states = words()(["black hair and brown eyes", "brown hair and black eyes"], torch.device("cpu"))
    assert (states.pooled[0] - states.pooled[1]).abs().max() > 1e-4


# CLIP and T5 --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a random CLIP text model, T5 encoder, whole CLIP, and pipeline, as transformers writes them."""
    transformers = pytest.importorskip("transformers")
    root = tmp_path_factory.mktemp("encoders")
    torch.manual_seed(0)
    small = {"vocab_size": len(VOCABULARY), "num_attention_heads": 2, "num_hidden_layers": 2}
    text: dict[str, Any] = {**small, "hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 12}
    text |= {"bos_token_id": 3, "eos_token_id": 1, "pad_token_id": 1}
    clip = transformers.CLIPTextModel(transformers.CLIPTextConfig(**text))
    vision = {**small, "hidden_size": 16, "intermediate_size": 32, "image_size": 8, "patch_size": 4}
    whole = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision))
    sizes = {"d_model": 24, "d_kv": 12, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": len(VOCABULARY)}
    t5 = transformers.T5EncoderModel(transformers.T5Config(**sizes))
    folders = {"clip": root / "clip", "whole": root / "whole", "t5": root / "t5", "pipeline": root / "pipeline"}
    for name, model in {"clip": clip, "whole": whole, "t5": t5}.items():
        model.save_pretrained(folders[name])
        tokenizer(name).save_pretrained(folders[name])
    clip.save_pretrained(folders["pipeline"] / "text_encoder")
    tokenizer("clip").save_pretrained(folders["pipeline"] / "tokenizer")
    return folders


def tokenizer(kind: str) -> Any:
    """Words split at spaces; CLIP's ends with the token that it is padded with."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    template = "$A </s>" if kind == "t5" else "<s> $A </s>"
    special = [("</s>", 1)] if kind == "t5" else [("<s>", 3), ("</s>", 1)]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)  # type: ignore[assignment]
    pad = "<pad>" if kind == "t5" else "</s>"
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="</s>", pad_token=pad)


def conditioner(folder: Path, **more: Any) -> Conditioner:
    torch.manual_seed(0)
    return Conditioner({"caption": {"kind": "text", "encoder": str(folder), **more}}, width=16)


def test_clip_is_told_as_stable_diffusion_tells_it(encoders: dict[str, Path]) -> None:
    """Its last hidden states, padded to its length, without a projection where the width is right."""
    from transformers import CLIPTextModel

    model: Any = CLIPTextModel.from_pretrained(encoders["clip"], local_files_only=True)
    numbers = tokenizer("clip")(TEXTS, padding="max_length", max_length=12, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = model(numbers).last_hidden_state
    for folder in ("clip", "pipeline"):
        network = conditioner(encoders[folder], null="empty")
        assert torch.equal(network({"caption": TEXTS}, 3).tokens, expected)
        assert torch.equal(network({}, 2).tokens, expected[[2, 2]])
        assert not list(network.parameters()) and network.inputs["caption"]["tokens"] == 12
    whole = conditioner(encoders["whole"])({"caption": TEXTS}, 3).tokens
    assert whole.shape == (3, 12, 16) and not torch.allclose(whole, expected)


def test_t5_through_a_projection(encoders: dict[str, Path]) -> None:
    network = conditioner(encoders["t5"], tokens=10)
    tokens = network({"caption": TEXTS}, 3).tokens
    assert tokens.shape == (3, 10, 16)
    padding = network.get_parameter("embeddings.caption.padding")
    assert torch.equal(tokens[0, 4:], padding.expand(6, 16)) and torch.equal(tokens[2, 1:], padding.expand(9, 16))
    longer = conditioner(encoders["t5"], tokens=14)
    longer.load_state_dict(network.state_dict() | {"nulls.caption": torch.zeros(14, 16)})
    torch.testing.assert_close(longer({"caption": TEXTS}, 3).tokens[:, :8], tokens[:, :8], atol=1e-5, rtol=1e-5)
    tokens.sum().backward()
    assert all(parameter.grad is not None for name, parameter in network.named_parameters() if "nulls" not in name)


@pytest.mark.parametrize("kind", ["clip", "t5"])
def test_one_vector_of_a_text(encoders: dict[str, Path], kind: str) -> None:
    vector = conditioner(encoders[kind], form="vector")({"caption": TEXTS}, 3).vector
    assert vector.shape == (3, 16) and (vector[0] - vector[1]).abs().max() > 1e-4


def test_the_encoder_is_frozen_shared_and_not_in_checkpoints(encoders: dict[str, Path]) -> None:
    network = conditioner(encoders["t5"])
    expected = network({"caption": TEXTS}, 3).tokens
    assert set(network.state_dict()) == {
        "nulls.caption",
        *(f"embeddings.caption.{name}" for name in ("padding", "project.0.weight", "project.0.bias")),
    }
    averaged = copy.deepcopy(network)
    assert averaged.embeddings["caption"].encoder is network.embeddings["caption"].encoder
    again = build_network(json.loads(json.dumps(network_config(network))))
    again.load_state_dict(network.state_dict())
    for other in (averaged, again):
        assert torch.equal(other({"caption": TEXTS}, 3).tokens, expected)


def test_long_texts_are_cut(encoders: dict[str, Path]) -> None:
    for kind in ("clip", "t5"):
        network = conditioner(encoders[kind], tokens=6)
        assert network({"caption": ["young man " * 1000]}, 1).tokens.shape == (1, 6, 16)


def test_folders_that_are_no_encoder(encoders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read: .* expected a folder of a text model"):
        conditioner(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 16}')
    with pytest.raises(ValueError, match="holds a model of type 'bert', expected CLIP or T5"):
        conditioner(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "clip_text_model", "hidden_size": "x"}')
    with pytest.raises(ValueError, match="has hidden_size='x', expected a number above 0"):
        conditioner(tmp_path)
    with pytest.raises(ValueError, match="got 13 tokens, expected 1 to 12"):
        conditioner(encoders["clip"], tokens=13)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((encoders["clip"] / "config.json").read_bytes())
    network = conditioner(broken)
    with pytest.raises(ValueError, match="broken cannot be read as a text encoder"):
        network({"caption": TEXTS}, 3)


def test_pickled_weights_are_not_read(encoders: dict[str, Path], tmp_path: Path) -> None:
    for file in encoders["clip"].iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    network = conditioner(tmp_path)
    with pytest.raises(ValueError, match="cannot be read as a text encoder"):
        network({"caption": TEXTS}, 3)


def test_nothing_is_downloaded_unless_asked() -> None:
    with pytest.raises(ValueError, match=r"is no folder here; expected .* with download=true"):
        text_folder("nobody-at-all/no-such-encoder")


def test_without_transformers(encoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    network = conditioner(encoders["clip"])
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"install it with pip install 'facegen\[text\]'"):
        network({"caption": TEXTS}, 3)
