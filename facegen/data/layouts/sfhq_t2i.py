"""SFHQ-T2I (Beniaguev 2024), SFHQ's successor: faces from text-to-image models, with a table of their prompts.

https://github.com/SelfishGene/SFHQ-T2I-dataset: images/<image_filename> and SFHQ_T2I_dataset.csv.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from facegen.data.layouts.beside import unmatched
from facegen.data.layouts.layout import Annotations
from facegen.data.problems import Problem

TABLE = "SFHQ_T2I_dataset.csv"
COLUMNS = ("image_filename", "model_used", "text_prompt", "configs")
DERIVED = ("prompt_chars", "prompt_words")
MODELS = {"FLUX1_pro": 3209, "FLUX1_dev": 7273, "FLUX1_schnell": 58034, "SDXL": 53087, "DALLE3": 1123}  # images of each


def annotate(table: Path, ids: Sequence[str]) -> Annotations:
    """captions (the prompt), model, prompt_chars and prompt_words from the table."""
    try:
        with table.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := set(COLUMNS[:3]) - set(reader.fieldnames or ()):
                return _malformed(f"no column {min(missing)!r}, it has: {', '.join(reader.fieldnames or ['nothing'])}")
            rows = {Path(row["image_filename"]).stem: (row["model_used"], row["text_prompt"]) for row in reader}
    except (csv.Error, OSError, UnicodeDecodeError, TypeError) as error:
        return _malformed(f"cannot be read as a table ({error})")
    found = [rows.get(name, (None, None)) for name in ids]
    prompts = [prompt for _, prompt in found]
    counts = [[None if text is None else measure(text) for text in prompts] for measure in (len, _num_words)]
    columns = {
        "captions": pa.array([None if text is None else [text] for text in prompts], pa.list_(pa.string())),
        "model": pa.array([model for model, _ in found], pa.string()),
        **{name: pa.array(values, pa.int32()) for name, values in zip(DERIVED, counts, strict=True)},
    }
    return Annotations(columns, unmatched(TABLE, list(rows), ids))


def _num_words(text: str) -> int:
    return len(text.split())


def _malformed(reason: str) -> Annotations:
    return Annotations({}, [Problem("malformed file", TABLE, f"{reason}; download it again")])
