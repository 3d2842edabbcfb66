"""What a backup says of itself: the last entry of its archive, so that it knows of all others."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from escapemaster_dev.backup.errors import DamagedFile

NAME: Final = "manifest.json"
STRUCTURE: Final = "structure.txt"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableRows(_Part):
    """The rows of a table.

    Attributes:
        columns: In the order of the rows' fields; generated ones are not among them.
        pieces: Entries of the archive that hold them.
        checksum: The SHA-256 of each row as COPY writes it, added up: in any order the same.
    """

    schema_name: str
    name: str
    columns: tuple[str, ...]
    rows: int
    pieces: int
    checksum: str

    def __str__(self) -> str:
        return f"{self.schema_name}.{self.name}"


class SequenceValue(_Part):
    """Where a sequence stands."""

    schema_name: str
    name: str
    last_value: int
    is_called: bool


class StoredFile(_Part):
    """An uploaded file.

    Attributes:
        folder: Where its pieces are in the archive: `files/<folder>/…`.
        size: Bytes.
    """

    bucket: str
    name: str
    folder: str
    pieces: int
    size: int
    sha256: str
    content_type: str
    cache_control: str
    owner: str | None
    owner_id: str | None
    created_at: datetime


class Manifest(_Part):
    """The whole.

    Attributes:
        migrations: Versions that the database had.
        structure_sha256: Of the entry `structure.txt`: policies, grants, functions, tables.
        files: None if they were left out.
        gone: Files that were deleted while the backup was made, as `bucket/name`.
    """

    format: Literal[1] = 1
    made_at: datetime
    server_version: str
    migrations: tuple[str, ...]
    structure_sha256: str
    tables: tuple[TableRows, ...]
    sequences: tuple[SequenceValue, ...]
    files: tuple[StoredFile, ...] | None
    gone: tuple[str, ...] = ()


def parse(content: bytes) -> Manifest:
    """Read it.

    Raises:
        DamagedFile: It was written by another version of this program, or is no manifest.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError:
        raise DamagedFile(
            "the backup's manifest cannot be read: it was made by another version of this program"
        ) from None
