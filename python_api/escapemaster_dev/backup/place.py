"""Where a backup is made or put back: a database, and the Storage beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from escapemaster_dev.backup.errors import BackupError
from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.environment import read_environment
from escapemaster_dev.stack.errors import NotRunning

_STORAGE = ("SUPABASE_URL", "SUPABASE_SECRET_KEY")


@dataclass(frozen=True, slots=True)
class Place:
    """One database with its files.

    Attributes:
        database_url: As `postgres`, the role that owns our objects.
        storage_url: The Supabase project's address; None where files are left out.
        secret_key: The service's key of that project.
    """

    database_url: str
    storage_url: str | None
    secret_key: str

    def __str__(self) -> str:
        url = urlsplit(self.database_url)
        return f"{url.path.removeprefix('/') or 'postgres'} at {url.hostname}:{url.port or 5432}"


def place_of_the_environment(*, files: bool) -> Place:
    """The place that DATABASE_URL names, else the local stack.

    Never half of each: the files of another place would be put beside the rows.

    Raises:
        BackupError: The files are wanted, and nothing says where they are.
        NotRunning: There is neither.
    """
    variables: Mapping[str, str] = os.environ
    if not variables.get("DATABASE_URL"):
        config = StackConfig.from_environment()
        if not config.environment.exists():
            raise NotRunning("there is no local stack yet (`make up`), and DATABASE_URL is not set")
        variables = read_environment(config.environment)
    absent = [name for name in _STORAGE if not variables.get(name)]
    if files and absent:
        raise BackupError(
            f"{' and '.join(absent)} must be set beside DATABASE_URL, to reach the uploaded files;"
            " or leave them out with --no-files"
        )
    return Place(
        database_url=variables["DATABASE_URL"],
        storage_url=variables["SUPABASE_URL"].rstrip("/") if files else None,
        secret_key=variables["SUPABASE_SECRET_KEY"] if files else "",
    )
