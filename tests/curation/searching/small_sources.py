"""Small sources with tables and embeddings whose neighbours are known."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from facegen.curation.embedding import MODEL
from facegen.data import table
from facegen.data.index import build_index
from tests.data.helpers import noise

SIZE = 24  # numbers of an embedding


def make_source(root: Path, count: int, seed: int, model: str = "efficientnet_lite0") -> Path:
    """`count` pictures with the columns yaw_degrees (0, 10, 20, ...), quality, and an embedding; the last has none.

    Face n has quality 0.9, 0.8, ... and points along axis n of the frame of `seed`, turned to the next one.
    """
    root.mkdir()
    for face in range(count):
        Image.fromarray(noise(16, seed * 100 + face)).save(root / f"{face:03}.png")
    build_index(root)
    vectors = directions(count, seed)
    validity = [face < count - 1 for face in range(count)]
    kind = pa.list_(pa.float32(), SIZE)
    values = [vector.tolist() if known else None for vector, known in zip(vectors, validity, strict=True)]
    columns = {
        "id": pa.array([f"{face:03}" for face in range(count)]),
        "yaw_degrees": pa.array([10.0 * face for face in range(count)]),
        "quality": pa.array([None, *(0.9 - 0.1 * face for face in range(1, count))], pa.float32()),
        "embedding": pa.array(values, kind),
    }
    fields = [pa.field(name, column.type) for name, column in columns.items()]
    fields[-1] = pa.field("embedding", kind, metadata={MODEL: model.encode()})
    table.set_columns(table.table_path(root), pa.table(list(columns.values()), schema=pa.schema(fields)))
    return root


def directions(count: int, seed: int) -> np.ndarray:
    """Unit vectors: cosine 0.4 with the ones before and after it, nothing with others."""
    frame = np.linalg.qr(np.random.default_rng(seed).normal(size=(SIZE, SIZE)))[0]
    return (frame[:count] * 0.8944272 + frame[1 : count + 1] * 0.4472136).astype(np.float32)
