"""Puts a backup back: first it is read to its end, then the rows come whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import psycopg

from escapemaster_dev.backup import age, archive, files, manifest, rows, tenant
from escapemaster_dev.backup.errors import BackupError, DamagedFile
from escapemaster_dev.backup.place import Place
from escapemaster_dev.backup.progress import Reporter
from escapemaster_dev.backup.structure import structure
from escapemaster_dev.backup.verified import Verified
from escapemaster_dev.schema.snapshot import difference

T = TypeVar("T")

_TRIES: Final = 5
_SHOWN: Final = 20


def verify(path: Path, identity: age.Identity, reporter: Reporter) -> Verified:
    """Read a backup to its end and hold it against its manifest.

    Raises:
        WrongKey: It is for another key.
        DamagedFile: It is cut off, changed, or lacks something that its manifest names.
    """
    sums: dict[str, rows.Checksum] = {}
    found: dict[str, tuple[int, str]] = {}
    said: dict[str, bytes] = {}
    with reporter.step("checking the file", "entries") as step:
        entries = archive.reading(path, identity)
        for place, of_place in groupby(entries, lambda entry: entry[0].rpartition("/")[0]):
            size, digest = 0, hashlib.sha256()
            for name, content in of_place:
                step.advance()
                if not place:
                    said[name] = content
                elif place.startswith("rows/"):
                    sums.setdefault(place.removeprefix("rows/"), rows.Checksum()).piece(content)
                else:
                    digest.update(content)
                size += len(content)
            found[place] = (size, digest.hexdigest())
    if set(said) != {manifest.NAME, manifest.STRUCTURE}:
        raise DamagedFile("the backup has no manifest: it was not written to its end")
    told = manifest.parse(said[manifest.NAME])
    for table in told.tables:
        checksum = sums.get(str(table), rows.Checksum())
        if (checksum.rows, checksum.hexdigest()) != (table.rows, table.checksum):
            raise DamagedFile(f"the backup's rows of {table} are not those that its manifest names")
    for file in told.files or ():
        if file.size and found.get(f"files/{file.folder}") != (file.size, file.sha256):
            raise DamagedFile(f"the backup's {file.bucket}/{file.name} is not what it was")
    lines = said[manifest.STRUCTURE]
    if hashlib.sha256(lines).hexdigest() != told.structure_sha256:
        raise DamagedFile("the backup's structure is not that which its manifest names")
    return Verified(path, identity, told, lines.decode().split("\n"))


def check_target(
    place: Place, backup: Verified, *, replace: bool, accept_differences: bool
) -> None:
    """Say what speaks against putting the backup there.

    Raises:
        BackupError: Other migrations, another structure, or rows that nobody said may go.
    """
    with connected(place) as connection:
        _check(place, connection, backup, replace=replace, accept_differences=accept_differences)


def _check(
    place: Place,
    connection: rows.Connection,
    backup: Verified,
    *,
    replace: bool,
    accept_differences: bool,
) -> None:
    rows.prepare(connection)
    applied, wanted = rows.migrations(connection), backup.manifest.migrations
    if applied != wanted:
        newest = applied[-1] if applied else "none"
        raise BackupError(
            f"the backup was made at migration {wanted[-1]}, and {place} is at {newest}. Apply the"
            " migrations of the release that made the backup (check it out, then"
            " `escapemaster migrate`), restore, and apply the newer ones then. Nothing was changed"
        )
    if not accept_differences:
        differs = difference(backup.structure, structure(connection), ("the backup", str(place)))
        if differs:
            lines = differs.split("\n")
            more = f"\n… {len(lines) - _SHOWN} more lines" if len(lines) > _SHOWN else ""
            raise BackupError(
                "tables, policies, grants or functions differ from those of the backup, at the same"
                " migration: somebody changed one of them by hand. Nothing was changed;"
                " --accept-differences restores all the same.\n" + "\n".join(lines[:_SHOWN]) + more
            )
    organizations, accounts = rows.population(connection)
    if (organizations or accounts) and not replace:
        raise BackupError(
            f"{place} holds {organizations} organizations and {accounts} accounts, which would be"
            " deleted: say --replace if that is meant. Nothing was changed"
        )


def restore_rows(
    place: Place,
    backup: Verified,
    reporter: Reporter,
    *,
    replace: bool,
    accept_differences: bool,
    send_mails: bool,
) -> int:
    """Put all rows in the place of those that are there, in one transaction.

    Returns:
        How many mails were set aside.

    Raises:
        BackupError: It was not done, and nothing was changed.
    """

    def put(connection: rows.Connection) -> int:
        # What was looked at before is looked at again, now that nobody else can change it.
        _check(place, connection, backup, replace=replace, accept_differences=accept_differences)
        return _put(connection, backup, reporter, send_mails=send_mails)

    return _alone(place, put)


def restore_organization(
    place: Place,
    backup: Verified,
    name: str,
    reporter: Reporter,
    *,
    replace: bool,
    accept_differences: bool,
) -> tenant.PutBack:
    """Put one organization's rows back, in one transaction; all others stay as they are.

    Args:
        place: That the backup was made of.
        backup: It was read to its end.
        name: Its slug in the backup, or its id.
        reporter: Shows how far it is.
        replace: Whether rows that it has may go.
        accept_differences: Though the structure is not the backup's.

    Raises:
        BackupError: It was not done, and nothing was changed.
    """

    def put(connection: rows.Connection) -> tenant.PutBack:
        _check(place, connection, backup, replace=True, accept_differences=accept_differences)
        return tenant.put_organization(connection, backup, name, reporter, replace=replace)

    return _alone(place, put)


def _alone(place: Place, put: Callable[[rows.Connection], T]) -> T:
    """Do it in a transaction in which nobody else reads or writes the tables."""
    for attempt in range(1, _TRIES + 1):
        try:
            with connected(place) as connection:
                rows.prepare(connection)
                rows.keep_others_out(connection, rows.tables(connection))
                return put(connection)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if attempt == _TRIES:
                raise BackupError(
                    "others use the database without a pause: stop the service and its worker, and"
                    " try again. Nothing was changed"
                ) from error
        except psycopg.Error as error:
            raise BackupError(
                f"the database refused, and nothing was changed: {str(error).strip()}"
            ) from error
    raise AssertionError("unreachable")


def _put(
    connection: rows.Connection, backup: Verified, reporter: Reporter, *, send_mails: bool
) -> int:
    tables = {f"rows/{table}": table for table in backup.manifest.tables}
    rows.empty(connection, rows.tables(connection))
    total = sum(table.rows for table in tables.values())
    with reporter.step("rows", "rows", total) as step:
        entries = archive.reading(backup.path, backup.identity)
        for place, of_place in groupby(entries, lambda entry: entry[0].rpartition("/")[0]):
            if place in tables:
                rows.write(connection, tables[place], (content for _, content in of_place))
                step.advance(tables[place].rows)
    for value in backup.manifest.sequences:
        rows.set_sequence(connection, value)
    with reporter.step("comparing", "rows", total) as step:
        for table in tables.values():
            checksum = rows.Checksum()
            there = rows.Table(table.schema_name, table.name, table.columns)
            for _ in rows.read(connection, there, checksum):
                pass
            if (checksum.rows, checksum.hexdigest()) != (table.rows, table.checksum):
                raise BackupError(
                    f"the rows of {table} are not the same once they are there. Nothing was changed"
                )
            step.advance(table.rows)
    # Most of them went out: no trigger tells the venue that a customer got none.
    aside = 0 if send_mails else rows.set_mails_aside(connection)
    connection.execute("set local session_replication_role = origin")
    return aside


def restore_files(
    place: Place, backup: Verified, reporter: Reporter, *, of: UUID | None = None
) -> int:
    """Upload the backup's files, and delete those that it does not know. May be repeated.

    Args:
        place: Where its rows are already.
        backup: It was read to its end.
        reporter: Shows how far it is.
        of: The organization whose files they are; None: all.

    Raises:
        BackupError: Storage failed. Rows and the files so far stay.
    """
    folder = "" if of is None else f"{of}/"
    wanted = {
        f"files/{file.folder}": file
        for file in backup.manifest.files or ()
        if file.name.startswith(folder)
    }
    kept = {(file.bucket, file.name) for file in wanted.values()}
    with connected(place) as connection:
        surplus = [
            entry
            for entry in files.listed(connection)
            if entry.name.startswith(folder) and (entry.bucket, entry.name) not in kept
        ]
    with (
        files.connected(place) as storage,
        reporter.step("files", "files", len(wanted)) as step,
    ):
        for bucket, entries in groupby(surplus, lambda entry: entry.bucket):
            storage.delete(bucket, [entry.name for entry in entries])
        for file in wanted.values():
            if not file.size:
                storage.upload(file, iter(()))
                step.advance()
        stored = archive.reading(backup.path, backup.identity)
        for folder, pieces in groupby(stored, lambda entry: entry[0].rpartition("/")[0]):
            if folder in wanted:
                storage.upload(wanted[folder], (content for _, content in pieces))
                step.advance()
    with connected(place) as connection:
        files.remember(connection, wanted.values())
    return len(wanted)


def analyze(place: Place) -> None:
    """Let the planner know what there is now."""
    with psycopg.connect(place.database_url, autocommit=True) as connection:
        connection.execute("set statement_timeout = 0")
        connection.execute("set client_min_messages = error")
        connection.execute("analyze")


@contextmanager
def connected(place: Place) -> Iterator[rows.Connection]:
    """A transaction in the place's database.

    Raises:
        BackupError: It cannot be reached.
    """
    try:
        connection = psycopg.connect(place.database_url, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise BackupError(f"{place} cannot be reached: {str(error).strip()}") from error
    with connection:
        yield connection
