"""Latents of a recipe on the disk: what a first stage makes of every face, and of every face that comes flipped.

A folder holds the moments of the pictures of one recipe under one first stage, and `manifest.json` says which. Moments
are what `encode` gives, before noise and scaling, so that a step draws its own noise. A flipped picture is encoded as
such: a convolutional encoder does not make the mirror image of the latents of a mirror image.
"""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import nn
from torch.utils.data import Dataset

from facegen.checkpoint import atomic_write, cache_folder, network_config, weights_digest
from facegen.data.batch import FaceBatch
from facegen.data.dataset import FaceDataset

MOMENTS = "moments"  # the condition of a batch that holds them
MANIFEST = "manifest.json"
SHARD = 128  # faces in a file, with their flipped pictures: the unit of resuming and of sharing work
DTYPES = ("float32", "float16")
_FORMAT = 1
_SCALE = "scaling_factor"  # of the first stage: it multiplies what is drawn from moments, and training may adjust it
_CRC_BYTES = 4
_FILES_READ = 16


class LatentCache:
    """Moments of the pictures of a recipe under a first stage, memory-mapped shard by shard.

    A shard is `<number>.npy` with the pictures of SHARD faces in the order of their rows, each face as it is and, where
    the recipe mirrors it, flipped; the CRC-32 of the file so far ends it. Holds no open file until something is
    read, so that it crosses fork and spawn.
    """

    def __init__(self, folder: Path, about: dict[str, Any], mirrored: Bool[np.ndarray, " face"]) -> None:
        self.folder, self.about, self.num_faces = folder, about, len(mirrored)
        self._first = np.concatenate([[0], np.cumsum(1 + mirrored.astype(np.int64))])
        self._shard_faces: int = about["shard"]
        self._shards: dict[int, np.ndarray] = {}

    @property
    def num_pictures(self) -> int:
        """Faces, and again those that come flipped."""
        return int(self._first[-1])

    @property
    def num_shards(self) -> int:
        """How many files there are when all are made."""
        return -(-self.num_faces // self._shard_faces)

    def faces(self, number: int) -> range:
        """Rows of the recipe in a shard."""
        size = self._shard_faces
        return range(number * size, min((number + 1) * size, self.num_faces))

    def pictures(self, number: int) -> int:
        """How many pictures a shard holds."""
        rows = self.faces(number)
        return int(self._first[rows.stop] - self._first[rows.start])

    def path(self, number: int) -> Path:
        """File of a shard."""
        return self.folder / f"{number:06d}.npy"

    def moments(
        self, rows: Int64[np.ndarray, " batch"], flipped: Bool[np.ndarray, " batch"]
    ) -> Float32[np.ndarray, "batch channel height width"]:
        """Moments of pictures, by row of the recipe and whether it is flipped. Raises ValueError for a lost shard."""
        chosen = []
        for row, flip in zip(rows.tolist(), flipped.tolist(), strict=True):
            number, within = divmod(row, self._shard_faces)
            chosen.append(self._shard(number)[self._first[row] + flip - self._first[row - within]])
        return np.stack(chosen).astype(np.float32)

    def whole(self, number: int) -> bool:
        """Whether a shard is there as it was written: its checksum is right."""
        path = self.path(number)
        if not path.exists() or path.stat().st_size <= _CRC_BYTES:
            return False
        content = np.memmap(path, np.uint8, "r")
        return zlib.crc32(content[:-_CRC_BYTES].data) == int.from_bytes(content[-_CRC_BYTES:].tobytes(), "little")

    def write(self, number: int, moments: Float[np.ndarray, "picture channel height width"]) -> None:
        """Keep a shard, whole or not at all."""
        for abandoned in self.folder.glob(f".{self.path(number).name}.*"):  # by a process that was killed
            abandoned.unlink(missing_ok=True)
        with atomic_write(self.path(number)) as temporary:
            with temporary.open("wb") as file:
                np.save(file, moments, allow_pickle=False)
            checksum = zlib.crc32(np.memmap(temporary, np.uint8, "r").data)
            with temporary.open("ab") as file:
                file.write(checksum.to_bytes(_CRC_BYTES, "little"))

    def describe(self) -> None:
        """Write the manifest. Raises ValueError where the folder holds something else."""
        path = self.folder / MANIFEST
        if not path.exists():
            if self.folder.is_dir() and (strange := sorted(entry.name for entry in self.folder.glob("[!.]*"))):
                raise ValueError(f"latents: {self.folder} holds {strange[0]} and no {MANIFEST}; choose an empty folder")
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps(self.about, indent=1) + "\n", encoding="utf-8")
        self._require_same(path)

    def _require_same(self, path: Path) -> None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            different = [name for name, value in self.about.items() if found[name] != value]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"latents: {path} cannot be read ({error!r}); delete {self.folder}") from error
        if different:
            whose = {"first_stage": "another autoencoder", "weights": "another autoencoder"}
            whose |= {"pictures": "other pictures", "faces": "other pictures"}
            what = whose.get(different[0], f"{different[0]} {found[different[0]]}")
            raise ValueError(f"latents: {self.folder} holds latents of {what}; leave the folder out, or choose another")

    def _shard(self, number: int) -> np.ndarray:
        if number not in self._shards:
            try:
                self._shards[number] = np.load(self.path(number), mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise ValueError(f"latents: {self.path(number)} cannot be read ({error}); start again") from error
        return self._shards[number]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_shards": {}}


class LatentDataset(Dataset):
    """The faces of a dataset with their moments as the condition "moments".

    Pictures are decoded only if `images`; otherwise `images` of a batch is empty, (N, 3, 0, 0).
    """

    def __init__(self, faces: FaceDataset, cache: LatentCache, images: bool = False) -> None:
        self.faces, self.cache, self.images = faces, cache, images

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, items: int | list[int]) -> FaceBatch:
        batch = self.faces.batch(items, self.images)
        moments = torch.from_numpy(self.cache.moments(*self.faces.views(items)))
        return batch._replace(conditions={**batch.conditions, MOMENTS: moments})


def latent_cache(
    faces: FaceDataset, first_stage: nn.Module, dtype: str = "float32", folder: str | Path | None = None
) -> LatentCache:
    """Where the latents of the pictures of a dataset under a first stage lie, made or not.

    `folder`: null for one of the cache folder with a name of its own. `dtype`: of the files; float16 halves them.
    Raises ValueError for pictures of another size than the first stage's, and for another dtype.
    """
    size = getattr(first_stage, "img_resolution", faces.resolution)
    if size != faces.resolution:
        raise ValueError(f"latents: pictures of {faces.resolution} pixels, expected the autoencoder's {size}")
    if dtype not in DTYPES:
        raise ValueError(f"latents: got dtype {dtype!r}, expected one of: {', '.join(DTYPES)}")
    about = {"format": _FORMAT, "shard": SHARD, **_of_pictures(faces), **_of_network(first_stage), "dtype": dtype}
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    place = Path(folder).expanduser().absolute() if folder else cache_folder() / "latents" / key[:16]
    return LatentCache(place, about, faces.mirrored)


def _of_pictures(faces: FaceDataset) -> dict[str, Any]:
    """What pictures depend on: ids and sizes of the files, some of the files themselves, the transform.

    How often a picture comes, and its label, do not matter. Reading all files would take as long as an epoch, but ids
    alone are alike in different datasets, and so are the sizes of pictures that are not compressed.
    """
    transform = {name: getattr(faces, name) for name in ("resolution", "filter", "crop", "convert")}
    digest = hashlib.sha256(json.dumps(transform, sort_keys=True).encode())
    digest.update("\0".join(faces.reader.ids).encode())
    for array in (faces.reader.sizes, faces.mirrored):
        digest.update(np.ascontiguousarray(array).tobytes())
    for row in np.unique(np.linspace(0, len(faces.reader) - 1, _FILES_READ).astype(int)).tolist():
        digest.update(faces.reader.read(row))
    return {"pictures": digest.hexdigest(), "faces": len(faces.reader)}


def _of_network(first_stage: nn.Module) -> dict[str, Any]:
    config = {name: value for name, value in network_config(first_stage).items() if name != _SCALE}
    return {"first_stage": json.loads(json.dumps(config)), "weights": weights_digest(first_stage, (_SCALE,))}
