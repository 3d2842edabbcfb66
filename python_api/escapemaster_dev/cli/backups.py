"""`backup`, `restore`, `restore-organization`, `backup-key`: one encrypted file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

_BACKUPS = "Backups"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_BACKUPS)(backup)
    app.command(rich_help_panel=_BACKUPS)(restore)
    app.command("restore-organization", rich_help_panel=_BACKUPS)(restore_organization)
    app.command("backup-key", rich_help_panel=_BACKUPS)(backup_key)


def backup(
    file: Annotated[Path, typer.Argument(help="The new file, such as monday.age.")],
    recipient: Annotated[
        str,
        typer.Option(
            envvar="BACKUP_RECIPIENT", help="The public key (age1…), as `backup-key` prints it."
        ),
    ],
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="With the uploaded files.")
    ] = True,
) -> None:
    """Write rows and uploaded files into one encrypted file, while everything goes on.

    Of the local stack; or of the database that DATABASE_URL names (as `postgres`), with the files
    of the project that SUPABASE_URL and SUPABASE_SECRET_KEY name.
    """
    from escapemaster_dev.backup.make import make_backup
    from escapemaster_dev.backup.place import place_of_the_environment
    from escapemaster_dev.backup.progress import reporting

    console = Console()
    with reporting(console) as reporter:
        made = make_backup(place_of_the_environment(files=files), file, recipient, reporter)
    console.print(
        f"{file}: {sum(table.rows for table in made.tables):,} rows, {len(made.files or ()):,}"
        f" files, {file.stat().st_size:,} bytes, migration {made.migrations[-1]}",
        highlight=False,
        soft_wrap=True,
    )
    for name in made.gone:
        console.print(f"deleted meanwhile: {name}", markup=False, highlight=False, soft_wrap=True)


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A backup.")],
    key: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="The key file that `backup-key` wrote."),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete what is there: all rows, accounts and files.")
    ] = False,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="With the uploaded files.")
    ] = True,
    files_only: Annotated[
        bool, typer.Option("--files-only", help="The files alone, after they failed.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing: say whether it could be done.")
    ] = False,
    accept_differences: Annotated[
        bool,
        typer.Option(
            "--accept-differences",
            help="Though tables, policies, grants or functions are not the backup's.",
        ),
    ] = False,
    send_mails: Annotated[
        bool,
        typer.Option("--send-mails", help="Let mails that waited in the backup go out (again)."),
    ] = False,
) -> None:
    """Put a backup into the local stack, or into the database that DATABASE_URL names.

    The migrations must be those of the backup. The file is read to its end before anything is
    changed, and the rows come in one transaction: whole, with the backup's checksums, or not at
    all. Everybody else waits meanwhile. Then come the files.
    """
    from escapemaster_dev.backup import put_back
    from escapemaster_dev.backup.age import Identity
    from escapemaster_dev.backup.place import place_of_the_environment
    from escapemaster_dev.backup.progress import reporting

    place = place_of_the_environment(files=files)
    console = Console()
    with reporting(console) as reporter:
        verified = put_back.verify(file, Identity.parse(key.read_text()), reporter)
        allowed = {"replace": replace or files_only, "accept_differences": accept_differences}
        put_back.check_target(place, verified, **allowed)
        if check:
            console.print(f"{file} is whole, and can be restored to {place}", highlight=False)
            return
        aside = 0
        if not files_only:
            aside = put_back.restore_rows(
                place, verified, reporter, send_mails=send_mails, **allowed
            )
        if files and verified.manifest.files is not None:
            put_back.restore_files(place, verified, reporter)
        put_back.analyze(place)
    console.print(f"Restored to {place}, as of {verified.manifest.made_at:%Y-%m-%d %H:%M} UTC.")
    if aside:
        console.print(f"{aside} mails that waited were set aside: `escapemaster jobs` lists them.")


def restore_organization(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A backup.")],
    organization: Annotated[str, typer.Argument(help="Its slug in the backup, or its id.")],
    key: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="The key file that `backup-key` wrote."),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete what the organization has: rows and files.")
    ] = False,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="With its uploaded files.")
    ] = True,
    accept_differences: Annotated[
        bool,
        typer.Option(
            "--accept-differences",
            help="Though tables, policies, grants or functions are not the backup's.",
        ),
    ] = False,
) -> None:
    """Put one organization of a backup back into the place that it came from.

    All others stay as they are. Accounts are not part of it: what belonged to one that was deleted
    since goes, or forgets it, as it would have done then. Its rows come in one transaction, while
    everybody else waits: whole, or not at all.
    """
    from escapemaster_dev.backup import put_back
    from escapemaster_dev.backup.age import Identity
    from escapemaster_dev.backup.place import place_of_the_environment
    from escapemaster_dev.backup.progress import reporting

    place = place_of_the_environment(files=files)
    console = Console()
    with reporting(console) as reporter:
        verified = put_back.verify(file, Identity.parse(key.read_text()), reporter)
        there = put_back.restore_organization(
            place,
            verified,
            organization,
            reporter,
            replace=replace,
            accept_differences=accept_differences,
        )
        if files and verified.manifest.files is not None:
            put_back.restore_files(place, verified, reporter, of=there.id)
        put_back.analyze(place)
    made_at = f"{verified.manifest.made_at:%Y-%m-%d %H:%M} UTC"
    console.print(f"{there.rows:,} rows of {organization} restored to {place}, as of {made_at}.")
    for table, count in there.left_out.items():
        console.print(f"left out, as their accounts are gone: {count:,} rows of {table}")
    if there.mails_set_aside:
        console.print(
            f"{there.mails_set_aside} mails that waited were set aside: `escapemaster jobs` lists"
            " them."
        )


def backup_key(
    file: Annotated[Path, typer.Argument(help="The new key file.")],
) -> None:
    """Make a key: the secret half into a file, the public half is printed.

    Keep the file where the backups are not, and not here alone: without it no backup can be read.
    """
    from escapemaster_dev.backup.age import Identity
    from escapemaster_dev.backup.errors import BackupError
    from escapemaster_dev.stack.credentials import write_private

    if file.exists():
        raise BackupError(f"{file} is there already; no key overwrites another")
    made = Identity.generate()
    write_private(file, f"# public key: {made.recipient}\n{made.text()}\n")
    typer.echo(made.recipient)
