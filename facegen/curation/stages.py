"""A stage of curation: a pure function from the row of one photograph or face to further columns, with a name.

What a stage computed is known by two hashes. The fingerprint (of name, version and settings) names the folder of its
parts; the key (of what the function reads of one row) names a row in there. A row whose fingerprint and key are known
is never computed again, in whatever order, chunk or process it was computed; everything else is.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

Row = dict[str, Any]
REASON = "reason"  # column of every stage: why the row goes no further; null where it does
_HASH_DIGITS = 32
# A broken photograph is a finding, recorded with the row; these are about the machine, and stop the run.
_FATAL = (ImportError, MemoryError, OSError)


@dataclass(frozen=True)
class Stage:
    """What one stage computes and from what.

    `compute(row, **settings, **context)` gets the columns `reads` and returns a value for each name of `schema`
    (missing ones become null). `settings` are plain values that decide the result; `context` says where things lie.
    Both, and the function, go to other processes, so the function is one of a module. Raise `version` when its results
    change. `chunk`: rows computed in one go. `together`: the function takes all rows of a chunk and returns as many.
    """

    name: str
    version: int
    compute: Callable[..., Any]
    reads: tuple[str, ...]
    schema: pa.Schema
    settings: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    chunk: int = 8
    together: bool = False

    @property
    def columns(self) -> list[str]:
        """Names of the columns it adds."""
        return self.schema.names

    def fingerprint(self) -> str:
        """Hash of name, version, settings and the columns made."""
        content = [self.name, self.version, dict(self.settings), self.reads, str(self.schema)]
        return _hashed(content)[:16]

    def key(self, row: Row) -> str:
        """Hash of what the function reads of a row."""
        return _hashed([row[name] for name in self.reads])

    def results(self, rows: Sequence[Row]) -> pa.Table:
        """Compute rows as a table with their keys and why they failed where they did."""
        portions = [list(rows)] if self.together else [[row] for row in rows]
        made = [columns for portion in portions for columns in self._attempt(portion)]
        found = [{"key": self.key(row), **columns} for row, columns in zip(rows, made, strict=True)]
        return pa.Table.from_pylist(found, schema=self.part_schema())

    def part_schema(self) -> pa.Schema:
        """The columns of a part: key, reason, and those of the stage."""
        return pa.schema([pa.field("key", pa.string()), pa.field(REASON, pa.string()), *self.schema])

    def _attempt(self, rows: list[Row]) -> list[Row]:
        """Columns of some rows; of each alone where all at once fail, so that a bad one spoils no other."""
        read = [{name: row[name] for name in self.reads} for row in rows]
        try:
            found = self.compute(read if self.together else read[0], **self.settings, **self.context)
            return found if self.together else [found]
        except _FATAL:
            raise
        except Exception as error:  # decoders and detectors raise what they like, and the run goes on
            if len(rows) > 1:
                return [columns for row in rows for columns in self._attempt([row])]
            words = " ".join(str(error).split()) or type(error).__name__
            return [{REASON: words if isinstance(error, Rejection) else f"{self.name} failed: {words}"}]


class Rejection(ValueError):
    """A photograph or face that is left out: `kind: detail`, of which the kind groups the table of reasons."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)


def _hashed(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
