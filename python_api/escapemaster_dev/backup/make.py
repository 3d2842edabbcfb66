"""Makes a backup, while everything goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import psycopg

from escapemaster_dev.backup import archive, files, manifest, rows
from escapemaster_dev.backup.errors import BackupError
from escapemaster_dev.backup.place import Place
from escapemaster_dev.backup.progress import Reporter, Step
from escapemaster_dev.backup.structure import structure


def make_backup(place: Place, path: Path, recipient: str, reporter: Reporter) -> manifest.Manifest:
    """Write the rows of one moment, and the files that there were at it.

    Args:
        place: What is backed up.
        path: The new file.
        recipient: The public key (`age1…`) of whoever may read it.
        reporter: Hears how far it is.

    Raises:
        BackupError: It could not be made; there is no file then.
    """
    with archive.writing(path, recipient) as writer:
        try:
            with psycopg.connect(place.database_url, connect_timeout=10) as connection:
                connection.execute("set transaction isolation level repeatable read, read only")
                return _write(place, connection, writer, reporter)
        except psycopg.Error as error:
            raise BackupError(f"the database failed: {str(error).strip()}") from error


def _write(
    place: Place, connection: rows.Connection, writer: archive.ArchiveWriter, reporter: Reporter
) -> manifest.Manifest:
    rows.prepare(connection)
    applied = rows.migrations(connection)
    if not applied:
        raise BackupError(f"there is nothing of ours in {place}: no migration was applied to it")
    listed = rows.tables(connection)
    rows.hold_structure(connection, listed)
    total = rows.estimated_rows(connection, listed)
    with reporter.step("rows", "rows", total) as step:
        tables = tuple(_add_table(connection, writer, table, step) for table in listed)
    sequences = tuple(rows.sequences(connection))
    stored: tuple[manifest.StoredFile, ...] | None = None
    gone: tuple[str, ...] = ()
    if place.storage_url is not None:
        stored, gone = _add_files(place, files.listed(connection), writer, reporter)
    lines = "\n".join(structure(connection)).encode()
    writer.add(manifest.STRUCTURE, lines)
    (server_version,) = connection.execute("show server_version").fetchone() or ("",)
    made = manifest.Manifest(
        made_at=datetime.now(UTC),
        server_version=server_version,
        migrations=applied,
        structure_sha256=hashlib.sha256(lines).hexdigest(),
        tables=tables,
        sequences=sequences,
        files=stored,
        gone=gone,
    )
    writer.add(manifest.NAME, made.model_dump_json(indent=2).encode())
    return made


def _add_table(
    connection: rows.Connection, writer: archive.ArchiveWriter, table: rows.Table, step: Step
) -> manifest.TableRows:
    checksum, pieces, told = rows.Checksum(), 0, 0
    for piece in rows.read(connection, table, checksum):
        writer.add(f"rows/{table}/{pieces:06}", piece)
        pieces += 1
        step.advance(checksum.rows - told)
        told = checksum.rows
    return manifest.TableRows(
        schema_name=table.schema,
        name=table.name,
        columns=table.columns,
        rows=checksum.rows,
        pieces=pieces,
        checksum=checksum.hexdigest(),
    )


def _add_files(
    place: Place,
    entries: list[files.Entry],
    writer: archive.ArchiveWriter,
    reporter: Reporter,
) -> tuple[tuple[manifest.StoredFile, ...], tuple[str, ...]]:
    """Add each file; one that was deleted since the rows were read is named instead."""
    stored, gone = [], []
    folders = count()
    with (
        files.connected(place) as storage,
        reporter.step("files", "files", len(entries)) as step,
    ):
        for entry in entries:
            # A download that breaks off leaves a folder that the manifest does not name.
            added = files.answered(str(entry), partial(_add_file, storage, entry, writer, folders))
            if added is None:
                gone.append(str(entry))
            else:
                stored.append(added)
            step.advance()
    return tuple(stored), tuple(gone)


def _add_file(
    storage: files.Files, entry: files.Entry, writer: archive.ArchiveWriter, folders: Iterator[int]
) -> manifest.StoredFile | None:
    content = storage.download(entry)
    if content is None:
        return None
    folder = f"{next(folders):06}"
    digest, size, pieces = hashlib.sha256(), 0, 0
    for piece in content:
        writer.add(f"files/{folder}/{pieces:06}", piece)
        digest.update(piece)
        size += len(piece)
        pieces += 1
    return manifest.StoredFile(
        bucket=entry.bucket,
        name=entry.name,
        folder=folder,
        pieces=pieces,
        size=size,
        sha256=digest.hexdigest(),
        content_type=entry.content_type,
        cache_control=entry.cache_control,
        owner=entry.owner,
        owner_id=entry.owner_id,
        created_at=entry.created_at,
    )
