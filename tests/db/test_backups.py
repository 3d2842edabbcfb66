"""A backup comes back whole or not at all: rows of one moment, with their policies and grants."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from rich.console import Console
from typer.testing import CliRunner

from client import Client
from db.booking_world import open_shop
from db.chaos import EXPECTED, Person, crowd
from db.invariants import broken_promises
from escapemaster_dev import cli
from escapemaster_dev.backup import age, archive, make, put_back
from escapemaster_dev.backup.errors import BackupError, DamagedFile, WrongKey
from escapemaster_dev.backup.place import Place, place_of_the_environment
from escapemaster_dev.backup.progress import Reporter
from escapemaster_dev.schema.snapshot import snapshot
from matrix.databases import WITHOUT_PLAN_LIMITS, Databases
from matrix.house import House
from matrix.promises import refused
from stack import wait_until

PEOPLE = 6
QUIET = Reporter(Console(quiet=True), None)
KEY = age.Identity.generate()
#: Written by age 1.1.1 itself: `age --recipient … plain`.
FOREIGN_KEY = "AGE-SECRET-KEY-" + "18PLSJFDHYWF8YLD9X9PV3DU0KU3R268FSA8N29FJUK9LNAS0TFNQFJRZU0"
FOREIGN_FILE = b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSAwOHVxVXNWbS9jNnpKbnlRNUZxdjVvOTVVTnNi"
    "RzA2UzlzUUkzRDRsblJVCk41TWZlWTZPQmd4elNtclg5TmVtS04xbFpDRWxReC9QbmdmTS9iV0dLcFEK"
    "LS0tIHplQTNSdStOVU90d1ZnZUIxSm1aTndXR1V3eTRDS3l4TGZaOGRNMnp5NWMKWIm3BVi6g78+Xe1E"
    "VQVvLH3p4ZFS5Z6nkiGFIljPQTi+sZrliFTMsRolQ7IaiHOYSQ=="
)


@pytest.fixture
def new_place(databases: Databases, migrated: str) -> Iterator[Callable[[], Place]]:
    """Makes places with all migrations and nothing else; the owner's, without Storage."""
    with ExitStack() as stack:

        def made() -> Place:
            name = urlsplit(stack.enter_context(databases.copy_of(migrated))).path[1:]
            return Place(databases.server.dsn(name), None, "")

        yield made


def admin(databases: Databases, place: Place) -> str:
    return databases.admin_dsn(urlsplit(place.database_url).path[1:])


def contents(place: Place) -> dict[str, list[str]]:
    """Every row of every table of ours and of Auth's accounts: not by the way that is tested."""
    with psycopg.connect(place.database_url) as connection:
        names = connection.execute(
            """
            select n.nspname, c.relname from pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p') and c.relpersistence = 'p'
              and (n.nspname in ('public', 'private', 'service')
                or (n.nspname = 'auth' and c.relname in ('users', 'identities')))
            """
        ).fetchall()
        return {
            f"{schema}.{name}": sorted(
                row[0]
                for row in connection.execute(
                    sql.SQL("select t::text from {} as t").format(sql.Identifier(schema, name))
                )
            )
            for schema, name in names
        }


def restore(place: Place, file: Path, **options: bool) -> None:
    chosen = {"replace": False, "accept_differences": False, **options}
    send_mails = chosen.pop("send_mails", True)
    verified = put_back.verify(file, KEY, QUIET)
    put_back.check_target(place, verified, **chosen)
    put_back.restore_rows(place, verified, QUIET, send_mails=send_mails, **chosen)


def populate(databases: Databases, place: Place) -> list[Person]:
    """A venue with people who have done something already."""
    with psycopg.connect(admin(databases, place), autocommit=True) as connection:
        connection.execute(WITHOUT_PLAN_LIMITS)
        people = crowd(open_shop(House(connection), "Kept", hold_minutes=120), PEOPLE)
        for person in people:
            person.use(connection)
            for _ in range(10):
                person.act()
    return people


@pytest.fixture
def small(databases: Databases, new_place: Callable[[], Place], tmp_path: Path) -> Path:
    """A backup of a venue."""
    source = new_place()
    populate(databases, source)
    make.make_backup(source, tmp_path / "small.age", KEY.recipient, QUIET)
    return tmp_path / "small.age"


def test_what_is_backed_up_under_load_comes_back_elsewhere_and_goes_on(
    databases: Databases, new_place: Callable[[], Place], tmp_path: Path
) -> None:
    source, target = new_place(), new_place()
    people = populate(databases, source)
    stop = threading.Event()

    def live(person: Person) -> None:
        while not stop.is_set():
            person.act()

    with ExitStack() as stack, ThreadPoolExecutor(PEOPLE) as pool:
        stack.callback(stop.set)
        for person in people:
            dsn = admin(databases, source)
            person.use(stack.enter_context(psycopg.connect(dsn, autocommit=True)))
        living = [pool.submit(live, person) for person in people]
        before = sum(person.answers.total() for person in people)
        made = make.make_backup(source, tmp_path / "loaded.age", KEY.recipient, QUIET)
        wait_until(lambda: sum(person.answers.total() for person in people) > before)
        stop.set()
        for life in living:
            life.result()

    restore(target, tmp_path / "loaded.age")
    there = contents(target)
    assert {str(t): t.rows for t in made.tables} == {
        name: len(rows)
        for name, rows in there.items()
        if name not in ("private.token_issuers", "private.webhook_settings")
    }
    assert made.sequences and all(sequence.last_value for sequence in made.sequences)
    with psycopg.connect(admin(databases, target), autocommit=True) as connection:
        house, shop = House(connection), people[0].shop
        assert broken_promises(house, shop.id) == {}
        for person in people:
            person.answers.clear()
            person.mine.clear()  # Some of them came after the backup.
            person.use(connection)
            for _ in range(10):
                person.act()
        answers = sum((person.answers for person in people[1:]), people[0].answers)
        assert set(answers) <= EXPECTED, answers
        assert answers["ok"], answers
        assert broken_promises(house, shop.id) == {}


def test_every_row_policy_and_grant_is_the_same_and_what_was_there_is_gone(
    databases: Databases, new_place: Callable[[], Place], tmp_path: Path
) -> None:
    source, target = new_place(), new_place()
    populate(databases, source)
    populate(databases, target)
    with psycopg.connect(target.database_url) as connection:
        connection.execute("insert into private.token_issuers values ('https://new.example')")
        connection.execute("select nextval('private.jobs_id_seq') from generate_series(1, 9)")
    file = tmp_path / "whole.age"
    make.make_backup(source, file, KEY.recipient, QUIET)
    restore(target, file, replace=True)
    wanted = contents(source) | {"private.token_issuers": ["(https://new.example)"]}
    assert contents(target) == wanted

    def same(place: Place) -> list[str]:
        # But for what a place says of itself, and counts that are not backed up.
        own = ("rows of private.token_issuers:", "rows of private.rate_limits:")
        return [line for line in snapshot(place.database_url) if not line.startswith(own)]

    assert same(source) == same(target)
    ids = "select last_value from private.jobs_id_seq"
    with (
        psycopg.connect(source.database_url) as here,
        psycopg.connect(target.database_url) as there,
    ):
        assert here.execute(ids).fetchone() == there.execute(ids).fetchone()


def test_mails_that_waited_are_set_aside_unless_they_shall_go_out(
    databases: Databases, new_place: Callable[[], Place], small: Path
) -> None:
    waiting = (
        "select count(*) filter (where status = 'queued'),"
        " count(*) filter (where last_error = 'set aside after a restore')"
        " from private.jobs where kind = 'email.send'"
    )
    target = new_place()

    def counted() -> Any:
        with psycopg.connect(target.database_url) as connection:
            return connection.execute(waiting).fetchone()

    restore(target, small)
    queued, aside = counted()
    assert queued and not aside
    restore(target, small, replace=True, send_mails=False)
    assert counted() == (0, queued)


def damaged(file: Path) -> dict[str, bytes]:
    whole = file.read_bytes()
    # Each line of the header, the nonce, each chunk and its seal, the end.
    places = {*range(0, 220, 5), *range(220, len(whole), 4001), len(whole) - 1}
    flipped = {f"byte {at}": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places}
    lengths = (0, 1, 40, 150, 230, 65536, len(whole) // 2, len(whole) - 65552, len(whole) - 1)
    cut = {f"cut to {length}": whole[:length] for length in lengths}
    start = whole.index(b"\n---") + 4 + 44 + 1 + 16
    chunk = 65536 + 16
    swapped = (
        whole[:start]
        + whole[start + chunk : start + 2 * chunk]
        + whole[start : start + chunk]
        + whole[start + 2 * chunk :]
    )
    at_a_seam = whole[: start + chunk]
    return {**flipped, **cut, "swapped": swapped, "seam": at_a_seam, "longer": whole + b"x"}


def test_a_backup_that_was_cut_off_or_changed_anywhere_is_refused(
    small: Path, tmp_path: Path
) -> None:
    put_back.verify(small, KEY, QUIET)
    assert small.stat().st_size > 3 * 65552
    for how, content in damaged(small).items():
        broken = tmp_path / "broken.age"
        broken.write_bytes(content)
        try:
            put_back.verify(broken, KEY, QUIET)
        except (DamagedFile, WrongKey):
            continue
        pytest.fail(f"{how}: it was taken for whole")


def test_another_key_a_cut_file_and_a_flipped_byte_are_told_apart_and_change_nothing(
    new_place: Callable[[], Place],
    databases: Databases,
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = new_place()
    populate(databases, target)
    before = contents(target)
    monkeypatch.setenv("DATABASE_URL", target.database_url)
    whole = small.read_bytes()
    cut, flipped = tmp_path / "cut.age", tmp_path / "flipped.age"
    cut.write_bytes(whole[:-1000])
    flipped.write_bytes(whole[:70000] + bytes([whole[70000] ^ 1]) + whole[70001:])
    own, other = tmp_path / "own.key", tmp_path / "other.key"
    own.write_text(KEY.text())
    other.write_text(age.Identity.generate().text())
    for file, key, error, words in (
        (small, other, WrongKey, "this key does not open the backup"),
        (cut, own, DamagedFile, "cut off"),
        (flipped, own, DamagedFile, "changed since it was written, after its first"),
    ):
        with pytest.raises(error, match=words):
            run("restore", str(file), f"--key={key}", "--replace", "--no-files")
    assert contents(target) == before


def run(*arguments: str) -> str:
    """The command, in this process; raises what it raised."""
    done = CliRunner().invoke(cli.app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_place_that_is_not_as_the_backup_needs_it_is_refused_and_stays_as_it_is(
    databases: Databases, new_place: Callable[[], Place], small: Path
) -> None:
    target = new_place()

    def refused(words: str, **options: bool) -> None:
        before = contents(target)
        with pytest.raises(BackupError, match=words):
            restore(target, small, **options)
        assert contents(target) == before

    def change(statement: str) -> None:
        with psycopg.connect(admin(databases, target), autocommit=True) as connection:
            connection.execute(statement)

    change("insert into supabase_migrations.schema_migrations (version) values ('29990101000000')")
    refused("made at migration .*, and .* is at 29990101000000")
    change("delete from supabase_migrations.schema_migrations where version = '29990101000000'")
    change("create policy open_to_all on public.bookings for select to authenticated using (true)")
    refused("(?s)differ.*open_to_all")
    change("drop policy open_to_all on public.bookings")
    # In the middle of the rows: what came before them is taken back.
    change("alter table public.bookings add constraint none check (reference is null)")
    refused("the database refused, and nothing was changed.*none", accept_differences=True)
    change("alter table public.bookings drop constraint none")
    restore(target, small)
    refused("holds 1 organizations and .* accounts")


def test_who_uses_the_database_without_a_pause_keeps_a_restore_out_and_loses_nothing(
    databases: Databases, new_place: Callable[[], Place], small: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("escapemaster_dev.backup.rows._SESSION", "set local lock_timeout = '20ms'")
    target = new_place()
    with psycopg.connect(target.database_url) as busy:
        busy.execute("lock table public.bookings in access share mode")
        with pytest.raises(BackupError, match="others use the database without a pause"):
            restore(target, small, accept_differences=True)


def test_a_backup_that_fails_leaves_no_file_and_none_overwrites_another(
    new_place: Callable[[], Place], databases: Databases, tmp_path: Path
) -> None:
    file = tmp_path / "never.age"
    empty = Place(databases.admin_dsn("template1"), None, "")
    for place, words in (
        (empty, "no migration was applied"),
        (Place("postgresql://nobody@127.0.0.1:1/none", None, ""), "the database failed"),
    ):
        with pytest.raises(BackupError, match=words):
            make.make_backup(place, file, KEY.recipient, QUIET)
        assert list(tmp_path.iterdir()) == []
    file.write_text("Monday's")
    with pytest.raises(BackupError, match="no backup overwrites another"):
        make.make_backup(new_place(), file, KEY.recipient, QUIET)
    assert file.read_text() == "Monday's"


def test_a_manifest_that_lies_about_its_rows_is_found_out(small: Path, tmp_path: Path) -> None:
    for dropped in ("rows/public.bookings/000000", "manifest.json", "structure.txt"):
        entries = [entry for entry in archive.reading(small, KEY) if entry[0] != dropped]
        with archive.writing(tmp_path / f"{dropped[:4]}.age", KEY.recipient) as writer:
            for name, content in entries:
                writer.add(name, content)
        with pytest.raises(DamagedFile, match=r"rows of public\.bookings|no manifest"):
            put_back.verify(tmp_path / f"{dropped[:4]}.age", KEY, QUIET)


def test_what_age_wrote_is_read_and_keys_are_written_as_age_writes_them(tmp_path: Path) -> None:
    identity = age.Identity.parse(f"# a comment\n\n{FOREIGN_KEY}\n")
    assert identity.text() == FOREIGN_KEY
    assert identity.recipient == "age14xugjyrfnsg3sewuxrzmrjrht4m5pzycup39vu3lkchnelt7gd8shap74h"
    assert age.Reader(BytesIO(FOREIGN_FILE), identity).readall() == b"rows of a backup\n"
    for size in (0, 1, 65536, 65537, 131072):
        sealed = BytesIO()
        writer = age.Writer(sealed, age.parse_recipient(identity.recipient))
        writer.write(bytes(size))
        writer.finish()
        assert age.Reader(BytesIO(sealed.getvalue()), identity).readall() == bytes(size)
    for wrong in ("", "# only a comment", FOREIGN_KEY[:-1] + "Q", identity.recipient):
        with pytest.raises(BackupError) as refused:
            age.Identity.parse(wrong)
        assert FOREIGN_KEY[15:40] not in str(refused.value)
    with pytest.raises(BackupError, match="not a public key"):
        age.parse_recipient(FOREIGN_KEY)


def test_the_files_of_another_place_are_never_put_beside_the_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@db.example/postgres")
    monkeypatch.delenv("SUPABASE_URL", raising=False)
    monkeypatch.delenv("SUPABASE_SECRET_KEY", raising=False)
    with pytest.raises(BackupError, match="SUPABASE_URL and SUPABASE_SECRET_KEY must be set"):
        place_of_the_environment(files=True)
    assert str(place_of_the_environment(files=False)) == "postgres at db.example:5432"


def follow(connection: Any, owner: Client, organization: str, since: object) -> Any:
    """What a screen that follows the venue's changes is told."""
    client = replace(owner, connection=connection)
    return client.call("changes_since", organization_id=organization, since=since)


def of(contents: dict[str, list[str]], organization: str, *, others: bool = False) -> Any:
    """The rows that name an organization, or those that do not."""
    return {
        table: found
        for table, rows in contents.items()
        if (found := [row for row in rows if (organization in row) != others])
    }


def test_one_venue_alone_comes_back_and_the_others_keep_what_they_did_since(
    databases: Databases, new_place: Callable[[], Place], tmp_path: Path
) -> None:
    place, file = new_place(), tmp_path / "both.age"
    people = populate(databases, place)
    kept = people[0].shop.id
    with psycopg.connect(admin(databases, place), autocommit=True) as connection:
        other = crowd(open_shop(House(connection), "Other", hold_minutes=120), PEOPLE)
        for person in other:
            person.use(connection)
            person.act()
    make.make_backup(place, file, KEY.recipient, QUIET)
    then = contents(place)

    with psycopg.connect(admin(databases, place), autocommit=True) as connection:
        # The venue loses its bookings and gets others; a member is gone; the other one goes on.
        gone = people[0].place.game_masters[0]
        for person in (*people, *other):
            person.use(connection)
            person.act()
        connection.execute("delete from public.booking_history where organization_id = %s", [kept])
        connection.execute("delete from auth.users where id = %s", [gone])
        owner = people[0].shop.venue.owner
        since = follow(connection, owner, kept, None)["until"]
    now = contents(place)
    assert of(now, kept) != of(then, kept)

    verified = put_back.verify(file, KEY, QUIET)
    options = {"accept_differences": False}
    with pytest.raises(BackupError, match="say --replace"):
        put_back.restore_organization(place, verified, kept, QUIET, replace=False, **options)
    with pytest.raises(BackupError, match="no organization of the backup is called nobody"):
        put_back.restore_organization(place, verified, "nobody", QUIET, replace=True, **options)
    assert contents(place) == now

    told = put_back.restore_organization(
        place, verified, people[0].shop.venue.slug, QUIET, replace=True, **options
    )
    after = contents(place)
    assert of(after, kept, others=True) == of(now, kept, others=True)
    # As its deletion did: the account's own rows stay away, and nobody else's.
    assert str(told.id) == kept
    assert told.left_out["public.memberships"] == 1
    mine, known = of(after, kept), of(then, kept)
    assert told.mails_set_aside
    assert "restore" in mine.pop("private.platform_log")[0]
    assert len(mine.pop("private.jobs")) == len(known.pop("private.jobs"))
    assert mine.keys() == known.keys()
    differs = {
        table: missing
        for table, rows in known.items()
        if (missing := [row for row in rows if row not in mine[table] and gone not in row])
    }
    assert differs == {}
    # An invitation forgets who took it.
    assert {
        table: more
        for table, rows in mine.items()
        if table != "public.invitations"
        and (more := [row for row in rows if row not in known[table]])
    } == {}
    with psycopg.connect(admin(databases, place), autocommit=True) as connection:
        house = House(connection)
        assert broken_promises(house, kept) == broken_promises(house, other[0].shop.id) == {}
        with refused(410, "since_too_old"):
            follow(connection, owner, kept, since)
        until = follow(connection, owner, kept, None)["until"]
        assert follow(connection, owner, kept, until)["is_whole"]
