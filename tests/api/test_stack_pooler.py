"""A pooler stands between PostgREST and the database where one is asked for, and nowhere else.

That nothing relies on a session is seen by all of `tests/api` with ESCAPEMASTER_POOLER set.
"""

from __future__ import annotations

import stat
from configparser import ConfigParser
from pathlib import Path

import pytest

from escapemaster_dev.stack.config import ROOT, Ports, StackConfig
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.parts import Parts
from escapemaster_dev.stack.supabase_config import read_supabase_config


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    config = StackConfig(home=tmp_path / "home", ports=Ports(30001))
    config.prepare()
    return Parts(config, Credentials.generate(), read_supabase_config(ROOT), {})


def test_postgrest_goes_straight_to_the_database_unless_a_pooler_is_asked_for(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESCAPEMASTER_POOLER", raising=False)
    assert parts.pooler() is None
    assert ":30002/postgres" in parts.postgrest().command.environment["PGRST_DB_URI"]


def test_a_pooler_gives_each_transaction_a_connection_and_lets_in_one_role(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCAPEMASTER_POOLER", "/usr/sbin/pgbouncer")
    pooler = parts.pooler()
    assert pooler is not None
    program, ini = pooler.command.arguments
    assert program == "/usr/sbin/pgbouncer"
    written = ConfigParser()
    written.read(ini)
    assert written["pgbouncer"]["pool_mode"] == "transaction"
    assert written["pgbouncer"]["listen_addr"] == "127.0.0.1"
    users = Path(written["pgbouncer"]["auth_file"])
    assert users.read_text().split()[0] == '"authenticator"'
    for path in (users, Path(ini), users.parent):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077
    environment = parts.postgrest().command.environment
    assert ":30016/postgres" in environment["PGRST_DB_URI"]
    assert environment["PGRST_DB_PREPARED_STATEMENTS"] == "false"
