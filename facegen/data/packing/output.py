"""Where a pack lies: in a folder of its own while it is made, under its final names when it is complete."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegen.data.packing.archives import Kind


@dataclass(frozen=True)
class Output:
    """Final place of a pack: NAME.zip with NAME.manifest.json beside it, or a folder of tar files and manifest.json.

    Raises ValueError for a name that does not go with the kind.
    """

    path: Path
    kind: Kind

    def __post_init__(self) -> None:
        suffix = self.path.suffix.lower()
        if self.kind == "zip" and suffix != ".zip":
            raise ValueError(f"out: got {self.path}, expected a name that ends in .zip (or format=tar for a folder)")
        if self.kind == "tar" and suffix in (".zip", ".tar"):
            raise ValueError(f"out: got {self.path}, expected a folder for the tar files, without {suffix}")

    @property
    def partial(self) -> Path:
        """The folder in which the pack is made."""
        return self.path.with_name(f"{self.path.name}.partial")

    @property
    def home(self) -> Path:
        """The folder in which the finished files are."""
        return self.path if self.kind == "tar" else self.path.parent

    @property
    def manifest(self) -> str:
        """Name of the manifest; a pack without it is not finished."""
        return self._beside("manifest.json")

    @property
    def names(self) -> str:
        """Name of the list in which images are repeated."""
        return self._beside("names.json")

    def shard(self, number: int) -> str:
        """Name of an archive; a zip is one only."""
        return self.path.name if self.kind == "zip" else f"faces-{number:06d}.tar"

    def finished(self, fingerprint: str) -> dict[str, Any] | None:
        """Manifest of the finished pack; None where there is none, and nothing in the way of making it.

        Raises ValueError where something else has its name, and where its files are not as the manifest says.
        """
        if not (self.home / self.manifest).exists():
            if not self.is_ready(fingerprint) and (there := self._in_the_way()):
                raise ValueError(f"{there} exists and was not finished by this command; choose another out, or move it")
            return None
        content = self._read(self.home, fingerprint)
        for file in [*content["shards"], *([content["names"]] if content["names"] else [])]:
            path = self.home / Path(file["name"]).name
            if not path.is_file() or path.stat().st_size != file["bytes"]:
                raise ValueError(
                    f"{path} is missing or has not the {file['bytes']} bytes of {self.manifest}; delete "
                    f"{self.home / self.manifest} and the files it lists, and run this again"
                )
        return content

    def is_ready(self, fingerprint: str) -> bool:
        """Whether everything is made and only the final names are missing."""
        return (self.partial / self.manifest).exists() and bool(self._read(self.partial, fingerprint))

    def publish(self) -> None:
        """Give the files of a ready pack their final names, the manifest last; can be interrupted and repeated."""
        if self.kind == "tar":
            self._tidy((".tar", ".json"))
            os.rename(self.partial, self.path)
            return
        for name in (self.names, self.shard(0)):
            with contextlib.suppress(FileNotFoundError):  # has its final name already, or there are no repeats
                os.rename(self.partial / name, self.home / name)
        self._tidy((".json",))
        os.rename(self.partial / self.manifest, self.home / self.manifest)
        self.clean()

    def clean(self) -> None:
        """Remove the folder of a published pack, which is empty; after a kill it may be there."""
        with contextlib.suppress(OSError):
            self.partial.rmdir()

    def _tidy(self, kept: tuple[str, ...]) -> None:
        for path in self.partial.iterdir():
            if path.suffix not in kept:
                path.unlink()

    def _beside(self, name: str) -> str:
        return name if self.kind == "tar" else f"{self.path.stem}.{name}"

    def _in_the_way(self) -> Path | None:
        if self.kind == "zip":
            return next((p for p in (self.path, self.home / self.names) if p.exists()), None)
        is_free = not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir()))
        return None if is_free else self.path

    def _read(self, folder: Path, fingerprint: str) -> dict[str, Any]:
        path = folder / self.manifest
        try:
            content = json.loads(path.read_text())
            found = content["fingerprint"]
            [(file["name"], file["bytes"]) for file in content["shards"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no manifest of this command ({error!r}); choose another out") from error
        if found != fingerprint:
            raise ValueError(
                f"{path} belongs to a pack of other images or settings; choose another out, or delete it with its files"
            )
        return content
