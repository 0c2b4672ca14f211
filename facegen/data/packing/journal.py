"""What of a pack is certainly on the disk: one line of JSON after each stretch of images."""

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from facegen.data.packing.archives import Archive, Member

NAME = "journal.jsonl"


class Shard(NamedTuple):
    """A finished archive: its name, bytes, SHA-256, and how many images it holds."""

    name: str
    bytes: int
    sha256: str
    images: int


class Journal:
    """Progress of a pack, kept in its folder: finished shards, and how far the open one is.

    Holds a lock on the folder as long as it is open. `images` counts what is packed over all shards, `copied` how many
    of these are the bytes of their source, `members` and `end` describe the open shard.
    Raises ValueError where the folder holds an unfinished pack with another fingerprint, OSError where another process
    is at work in it.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = folder / NAME
        self.images = self.copied = self.end = 0
        self.members: list[Member] = []
        self.shards: list[Shard] = []
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise OSError(f"{folder}: another process is packing there; wait for it, or choose another out") from None
        try:
            self._replay(folder, fingerprint)
        except BaseException:
            self._file.close()
            raise

    @property
    def images_before(self) -> int:
        """How many images the finished shards hold."""
        return sum(shard.images for shard in self.shards)

    def advance(self, archive: Archive, copied: int, images: int) -> None:
        """Keep that an archive has grown: it is on the disk before the line that says so."""
        archive.sync()
        new = archive.members[len(self.members) :]
        self._write({"end": archive.end, "copied": copied, "images": images, "members": new})
        self._apply_progress(archive.end, copied, images, new)

    def finish(self, shard: Shard) -> None:
        """Keep that the open shard is finished and was found to be right."""
        self._write({"shard": shard})
        self._apply_shard(shard)

    def close(self) -> None:
        """Let others at it."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _apply_progress(self, end: int, copied: int, images: int, members: list[Member]) -> None:
        self.end, self.copied, self.images = end, self.copied + copied, self.images + images
        self.members.extend(members)

    def _apply_shard(self, shard: Shard) -> None:
        self.shards.append(shard)
        self.members, self.end = [], 0

    def _replay(self, folder: Path, fingerprint: str) -> None:
        self._file.seek(0)
        text = self._file.read()
        complete = text[: text.rfind(b"\n") + 1]  # a line that was cut off says nothing
        self._file.truncate(len(complete))
        if not complete:
            return self._write({"fingerprint": fingerprint})
        try:
            first, *others = map(json.loads, complete.splitlines())
            found = first["fingerprint"]
            for entry in others if found == fingerprint else ():
                self._apply(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path} is damaged ({error!r}); delete {folder} to begin anew") from error
        if found != fingerprint:
            raise ValueError(
                f"{folder} holds an unfinished pack of other images or settings; choose another out, or delete it"
            )

    def _apply(self, entry: dict[str, Any]) -> None:
        if "shard" in entry:
            return self._apply_shard(Shard(*entry["shard"]))
        members = [Member(*member) for member in entry["members"]]
        self._apply_progress(entry["end"], entry["copied"], entry["images"], members)

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
