"""Texts and pictures in the space of a tiny random CLIP, in the two kinds of folders in which CLIPs are published."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from facegen.curation.columns import add_columns
from facegen.curation.embedding import embedding_group
from facegen.curation.searching import Query, Space, search_faces
from facegen.curation.searching.text_tower import embed_text
from facegen.data import Recipe
from facegen.data.index import build_index
from tests.data.helpers import noise

transformers = pytest.importorskip("transformers")
VOCABULARY = ["<s>", "<unk>", "an", "old", "man", "young", "woman", "who", "laughs", "</s>"]
WIDTH, LENGTH, PROJECTED = 16, 8, 12
OLD = "an old man who laughs"


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = {word: number for number, word in enumerate(VOCABULARY)}
    made: Any = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = [("<s>", words["<s>"]), ("</s>", words["</s>"])]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="</s>")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole CLIP as transformers writes it."""
    torch.manual_seed(0)
    same = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH}
    text = {**same, "vocab_size": 10, "max_position_embeddings": LENGTH, "bos_token_id": 0, "eos_token_id": 9}
    pictures = {**same, "image_size": 16, "patch_size": 8}
    both = {"text_config": text | {"pad_token_id": 9}, "vision_config": pictures}
    for config in both.values():
        config["projection_dim"] = PROJECTED
    folder = tmp_path_factory.mktemp("clip")
    transformers.CLIPModel(transformers.CLIPConfig(**both, projection_dim=PROJECTED)).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def open_clip(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same text tower in a folder of open_clip's."""
    model: Any = transformers.CLIPTextModelWithProjection.from_pretrained(clip)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    folder = tmp_path_factory.mktemp("open_clip")
    save_file(_with_open_clips_names(state), folder / "open_clip_model.safetensors")
    text = {"context_length": LENGTH, "vocab_size": 10, "width": WIDTH, "heads": 2, "layers": 2}
    config = {"model_cfg": {"embed_dim": PROJECTED, "quick_gelu": True, "vision_cfg": {}, "text_cfg": text}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    _tokenizer().save_pretrained(folder)
    return folder


def _with_open_clips_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {
        "token_embedding.weight": state["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": state["text_model.embeddings.position_embedding.weight"],
        "ln_final.weight": state["text_model.final_layer_norm.weight"],
        "ln_final.bias": state["text_model.final_layer_norm.bias"],
        "text_projection": state["text_projection.weight"].T.contiguous(),
        "visual.proj": torch.zeros(3, 3),
        "logit_scale": torch.zeros(()),
    }
    for layer in range(2):
        here, there = f"text_model.encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            letters = [state[f"{here}self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
            found[f"{there}attn.in_proj_{kind}"] = torch.cat(letters)
            found[f"{there}attn.out_proj.{kind}"] = state[f"{here}self_attn.out_proj.{kind}"]
            for one, other in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2")):
                found[f"{there}{one}.{kind}"] = state[f"{here}{other}.{kind}"]
            for one, other in (("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):
                found[f"{there}{one}.{kind}"] = state[f"{here}{other}.{kind}"]
    return found


def test_a_text_is_embedded_as_the_whole_clip_does_it(clip: Path) -> None:
    model: Any = transformers.CLIPModel.from_pretrained(clip).eval()
    numbers = _tokenizer()([OLD], return_tensors="pt").input_ids
    with torch.no_grad():
        pictures = torch.zeros(1, 3, 16, 16)
        expected = model(input_ids=numbers, pixel_values=pictures).text_embeds[0].numpy()
    found = embed_text(OLD, clip)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)
    assert np.abs(found - embed_text("a young woman", clip)).max() > 0.01
    assert np.isfinite(embed_text("an old man " * 100, clip)).all()  # longer than it reads


def test_open_clips_files_give_the_same(clip: Path, open_clip: Path) -> None:
    for text in (OLD, "young woman", "unheard words"):
        np.testing.assert_allclose(embed_text(text, open_clip), embed_text(text, clip), atol=1e-5)


def test_faces_by_a_text_and_by_a_picture(clip: Path, tmp_path: Path) -> None:
    root = tmp_path / "faces"
    root.mkdir()
    for face in range(5):
        Image.fromarray(noise(16, face)).save(root / f"{face}.png")
    build_index(root)
    add_columns(root, [embedding_group("clip", clip)], workers=0)
    recipe, space = Recipe(root, resolution=16), Space(clip=clip)
    model: Any = transformers.CLIPModel.from_pretrained(clip).eval()
    pictures = torch.stack([torch.from_numpy(noise(16, face)).permute(2, 0, 1) for face in range(5)]).float() / 255
    mean, deviation = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    pictures = (pictures - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[:, None, None]
    with torch.no_grad():
        output = model(input_ids=_tokenizer()([OLD], return_tensors="pt").input_ids, pixel_values=pictures)
    cosines = (output.image_embeds @ output.text_embeds[0]).numpy()
    found = search_faces(recipe, Query(text=OLD), space)
    assert found.ids == [str(face) for face in np.argsort(-cosines)]
    np.testing.assert_allclose(found.scores, np.sort(cosines)[::-1], atol=1e-4)
    itself = search_faces(recipe, Query(image=noise(16, 3), count=1), space)
    assert itself.ids == ["3"] and itself.scores[0] == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="give clip=FOLDER"):
        search_faces(recipe, Query(text=OLD))


def test_folders_that_are_no_clip(tmp_path: Path, open_clip: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a folder with config\.json"):
        embed_text(OLD, tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="'bert', expected clip"):
        embed_text(OLD, tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ValueError, match="cannot be read as a CLIP with its tokenizer"):
        embed_text(OLD, tmp_path)
    config = json.loads((open_clip / "open_clip_config.json").read_text())
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="has no weights; expected one of open_clip_model"):
        embed_text(OLD, tmp_path)
    config["model_cfg"]["text_cfg"]["hf_model_name"] = "xlm-roberta"
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="the text tower 'xlm-roberta'; expected that of a CLIP"):
        embed_text(OLD, tmp_path)
