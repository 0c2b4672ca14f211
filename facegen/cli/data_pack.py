"""`facegen data pack`: a recipe as one zip or as tar shards."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.cli.recipes import recipe_of
from facegen.data.packing import Packed, PackSettings, pack

CONFIG = "data_pack"
HELP = """\
Write the faces of a recipe as an NVIDIA zip, or as tar shards for streaming from object storage.

out=NAME.zip: 00000/img00000000.png, ..., dataset.json, uncompressed, as NVIDIA's and EG3D's tools read it; where faces
are repeated, NAME.names.json lists the names as LPFF's scripts do. Any other out is a folder of tar files in
WebDataset's naming: 00000000.png and 00000000.json with id, source and camera. Both have a manifest: recipe,
fingerprint, licences, and bytes, SHA-256 and number of images of each file.

PNG files that already have the wanted size are copied; everything else is encoded. Files get their final names when
all of them are written and checked. Interrupted? The same command goes on, and the bytes are the same.

Examples:
  facegen data pack data=lpff_ffhq data.labels=true resolution=512 out=lpff_ffhq.zip
  facegen data pack data=folder data.root=~/photographs out=~/packed shard_mb=256    a folder of tar files
  facegen data pack data=zip data.root=ffhq.zip out=fast.zip reencode=true           PNG level 0 decodes 4 times faster
  facegen train data=zip data.root=fast.zip                                          train on a zip"""


def run(cfg: DictConfig) -> None:
    """Pack and say what was made."""
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    out, workers = str(values["out"]), values["workers"]
    if workers < 0:
        raise ValueError(f"workers: got {workers}, expected 0 or more")
    kind = values["format"] or ("zip" if out.lower().endswith(".zip") else "tar")
    names = ("compression", "mirrors", "reencode", "shard_mb", "shard_images")
    settings = PackSettings(kind, **{name: values[name] for name in names})
    print(summary(pack(recipe_of(cfg.get("data"), values["resolution"]), Path(out), settings, workers)))


def summary(packed: Packed) -> str:
    """What was written, or that there was nothing to do; then the licences that go with it."""
    manifest = packed.manifest
    files = manifest["shards"]
    size = sum(file["bytes"] for file in files) / 1e6
    many = f"{len(files)} tar file{'s' * (len(files) != 1)}, " if manifest["settings"]["kind"] == "tar" else ""
    state = "" if packed.is_new else "; it was finished already, nothing to do"
    lines = [f"{packed.path}: {many}{manifest['images']} images, {size:.1f} MB{state}"]
    lines += [f"  {manifest['copied']} copied, {manifest['encoded']} encoded, {manifest['mirrored']} of them mirrored"]
    if names := manifest["names"]:
        lines += [f"  {names['name']}: {names['entries']} names, repeated ones among them"]
    lines += [f"  {terms['title']}: {terms['licence']}" for terms in manifest["terms"]]
    return "\n".join(lines)
