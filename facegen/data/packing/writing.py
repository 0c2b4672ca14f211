"""Writing a pack: images in, archives out, with a journal to go on from after a kill."""

import errno
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from facegen.checkpoint import atomic_write
from facegen.data.check import quick_check
from facegen.data.labels import LABELS_FILE
from facegen.data.listing import list_zip
from facegen.data.packing.archives import Archive, checked_sha256
from facegen.data.packing.encoding import Encoded, encode_from
from facegen.data.packing.journal import Journal, Shard
from facegen.data.packing.output import Output
from facegen.data.packing.plan import PackSettings, Plan
from facegen.data.rebalance import reference_names, write_name_list
from facegen.data.recipe import Recipe

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MEGABYTE = 10**6


class Packed(NamedTuple):
    """The finished zip or folder, its manifest, and whether this call made it."""

    path: Path
    manifest: dict[str, Any]
    is_new: bool


def pack(recipe: Recipe, out: str | Path, settings: PackSettings, workers: int = 2) -> Packed:
    """Write a recipe as a zip for NVIDIA's tools, or as tar files in WebDataset's naming, with a manifest.

    Everything is made in OUT.partial and checked there before it gets its final name; the bytes depend on the recipe
    and the settings only. A pack that was interrupted is continued, one that is finished is left alone.
    `workers`: processes that encode; 0 encodes in this one.
    Raises ValueError for images that cannot be used, and where OUT or OUT.partial hold something else; OSError where
    the disk is full: what is complete is kept.
    """
    output = Output(Path(out).expanduser().absolute(), settings.kind)
    plan = Plan(recipe, settings)
    if manifest := output.finished(plan.fingerprint):
        output.clean()
        return Packed(output.path, manifest, False)
    if not output.is_ready(plan.fingerprint):
        quick_check(recipe)
        output.partial.mkdir(parents=True, exist_ok=True)
        with closing(Journal(output.partial, plan.fingerprint)) as journal, _room(output, plan, journal):
            _write_shards(plan, output, journal, workers)
            _write_manifest(plan, output, journal)
    output.publish()
    return Packed(output.path, output.finished(plan.fingerprint) or {}, True)


class _Shards:
    """Appends images to the open archive of a pack, and begins the next one when it is full."""

    def __init__(self, plan: Plan, output: Output, journal: Journal) -> None:
        self._plan, self._output, self._journal = plan, output, journal
        self._pending = self._copied = 0  # images since the last line of the journal
        self._archive: Archive | None = None

    def take(self, images: list[Encoded]) -> None:
        """Append some images; they are on the disk when this returns."""
        for image in images:
            files = self._files(self._journal.images + self._pending, image.data)
            if self._is_full(sum(len(data) for _, data in files)):
                self.end_shard()
            for name, data in files:
                self._open().add(name, data)
            self._pending += 1
            self._copied += image.copied
        self._keep()

    def end_shard(self) -> None:
        """Complete the open archive, read it back, and keep its checksum."""
        self._keep()
        archive = self._open()
        if archive.kind == "zip":
            archive.add(LABELS_FILE, self._plan.labels())
        archive.finish()
        total = archive.path.stat().st_size
        with tqdm(desc=f"checking {archive.path.name}", total=total, unit="B", unit_scale=True, delay=1) as bar:
            digest = checked_sha256(archive.path, archive.members, bar.update)
        images = self._journal.images - self._journal.images_before
        if archive.kind == "zip":
            _require_images(archive.path, images)
        self._journal.finish(Shard(archive.path.name, total, digest, images))
        self.close()

    def close(self) -> None:
        """Let go of the open archive."""
        if self._archive is not None:
            self._archive.close()
        self._archive = None

    def _open(self) -> Archive:
        if self._archive is None:
            journal = self._journal
            path = self._output.partial / self._output.shard(len(journal.shards))
            self._archive = Archive(path, self._output.kind, journal.members, journal.end)
        return self._archive

    def _keep(self) -> None:
        if self._pending:
            self._journal.advance(self._open(), self._copied, self._pending)
        self._pending = self._copied = 0

    def _files(self, image: int, png: bytes) -> list[tuple[str, bytes]]:
        """The files of an image in the archive: names are numbers, so that no id can lead out of it."""
        if self._output.kind == "zip":
            return [(self._plan.names[image], png)]
        return [(f"{image:08d}.png", png), (f"{image:08d}.json", self._plan.sample(image))]

    def _is_full(self, more: int) -> bool:
        settings = self._plan.settings
        images = self._journal.images + self._pending - self._journal.images_before
        if settings.kind == "zip" or images == 0:
            return False
        too_many = settings.shard_images is not None and images >= settings.shard_images
        return too_many or (settings.shard_mb is not None and self._open().end + more > settings.shard_mb * MEGABYTE)


def _write_shards(plan: Plan, output: Output, journal: Journal, workers: int) -> None:
    with (
        closing(_Shards(plan, output, journal)) as shards,
        closing(encode_from(plan, journal.images, workers)) as stretches,
        tqdm(desc="packing", total=len(plan), initial=journal.images, unit="image", delay=1) as bar,
    ):
        for images in stretches:
            shards.take(images)
            bar.update(len(images))
        if journal.images > journal.images_before:
            shards.end_shard()


def _write_manifest(plan: Plan, output: Output, journal: Journal) -> None:
    names = None
    if output.kind == "zip" and plan.copies.max() > 1:
        listed = reference_names(plan.copies)
        path = output.partial / output.names
        write_name_list(path, listed)
        text = path.read_bytes()
        names = {"name": path.name, "bytes": len(text), "sha256": sha256(text).hexdigest(), "entries": len(listed)}
    counts = {"copied": journal.copied, "encoded": len(plan) - journal.copied}
    content = {**plan.describe(), **counts, "names": names, "shards": [shard._asdict() for shard in journal.shards]}
    with atomic_write(output.partial / output.manifest) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _require_images(path: Path, images: int) -> None:
    """Read the zip's directory as training will. Raises ValueError where it does not list every image."""
    if (found := len(list_zip(path, LABELS_FILE).entries)) != images:
        raise ValueError(f"{path} lists {found} of {images} images (a failing disk?); delete {path.parent}")


@contextmanager
def _room(output: Output, plan: Plan, journal: Journal) -> Iterator[None]:
    """Say what is kept when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        kept = f"{journal.images} of {len(plan)} images are kept there"
        raise OSError(
            f"{output.partial}: the disk is full; {kept}: make room and run the same command again"
        ) from error
