"""A backup file: a compressed tar, encrypted. Nothing of it is ever on a disk in the clear.

    rows/<schema>.<table>/000000    lines as COPY writes them
    files/<number>/000000           pieces of an uploaded file
    structure.txt, manifest.json    the last two

A tar wants to know an entry's size before its content, so what is long comes in pieces.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from escapemaster_dev.backup import age
from escapemaster_dev.backup.errors import BackupError, DamagedFile

#: Bytes that are gathered before they are written, and so what a backup takes of memory.
PIECE: Final = 4 * 1024 * 1024


class ArchiveWriter:
    """Adds entries."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, content: bytes | bytearray) -> None:
        """Add one entry."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o600
        self._tar.addfile(entry, io.BytesIO(content))


@contextmanager
def writing(path: Path, recipient: str) -> Iterator[ArchiveWriter]:
    """Write a new backup. The file is there when it is whole, and not before.

    Raises:
        BackupError: There is such a file already, or it cannot be written.
    """
    public = age.parse_recipient(recipient)
    if path.exists():
        raise BackupError(f"{path} is there already; no backup overwrites another")
    draft = path.with_name(f".{path.name}.partial")
    try:
        with draft.open("xb") as target:
            draft.chmod(0o600)
            encrypted = age.Writer(target, public)
            with tarfile.open(fileobj=encrypted, mode="w|gz", compresslevel=6) as tar:
                yield ArchiveWriter(tar)
            encrypted.finish()
        draft.rename(path)
    except FileExistsError:
        raise BackupError(
            f"{draft} is in the way: another backup is being written, or one was broken off;"
            " then delete it"
        ) from None
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise BackupError(f"the backup could not be written: {error}") from error
        raise


def reading(path: Path, identity: age.Identity) -> Iterator[tuple[str, bytes]]:
    """Every entry with its content, in order. What comes out is as it was written.

    Raises:
        WrongKey: The file is for another key.
        DamagedFile: It is cut off or changed: at its first such place, after what is before it.
    """
    with path.open("rb") as source:
        plain = io.BufferedReader(age.Reader(source, identity), PIECE)
        try:
            with tarfile.open(fileobj=plain, mode="r|gz") as tar:
                for entry in tar:
                    content = tar.extractfile(entry)
                    yield entry.name, cast("io.BufferedIOBase", content).read()
            # The tar may end before the file does; the rest has its seal, too.
            while plain.read(PIECE):
                pass
        except (tarfile.TarError, zlib.error, EOFError) as error:
            raise DamagedFile(f"the backup's content cannot be read: {error}") from error
