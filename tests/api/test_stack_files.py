"""What a stack writes: secrets that stay secret, variables that two readers understand alike."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import jwt
import pytest

from escapemaster_dev.cli.table import _next_steps
from escapemaster_dev.stack.config import ROOT, Ports, StackConfig
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.environment import (
    read_environment,
    stack_environment,
    with_own_accounts,
    write_environment,
)
from escapemaster_dev.stack.errors import StackError
from escapemaster_dev.stack.gateway import Gateway
from escapemaster_dev.stack.lite import Lite
from escapemaster_dev.stack.postgres import can_reach, make_private_directory, server_user
from escapemaster_dev.stack.processes import User
from escapemaster_dev.stack.supabase_config import read_supabase_config

CONTRACT = {
    "SUPABASE_URL",
    "SUPABASE_PUBLISHABLE_KEY",
    "SUPABASE_SECRET_KEY",
    "SUPABASE_JWT_SECRET",
    "DATABASE_URL",
    "API_URL",
    "MAILBOX_URL",
    "STRIPE_SANDBOX_URL",
}


@pytest.fixture
def config(tmp_path: Path) -> StackConfig:
    made = StackConfig(home=tmp_path / "home", ports=Ports(30001))
    made.prepare()
    return made


def test_secrets_are_made_once_and_are_the_owners_only(config: StackConfig) -> None:
    first = Credentials.load_or_generate(config.secrets)
    again = Credentials.load_or_generate(config.secrets)
    assert first == again
    assert stat.S_IMODE(config.secrets.stat().st_mode) == 0o600
    assert first != Credentials.generate()


def test_no_file_with_a_secret_can_be_read_by_others(config: StackConfig) -> None:
    credentials = Credentials.load_or_generate(config.secrets)
    write_environment(config.environment, stack_environment(config, credentials))
    Gateway(config).write(credentials)
    lite = Lite(
        directory=config.home / "lite",
        port=30012,
        database_url="postgresql://localhost",
        site_url="http://localhost",
        smtp_port=30013,
    )
    lite.directory.mkdir()
    lite.command(credentials, read_supabase_config(ROOT), {})
    secret = {credentials.jwt_secret, credentials.secret_key, credentials.owner_password}
    holders = [
        path
        for path in config.home.rglob("*")
        if path.is_file() and any(each in path.read_text() for each in secret)
    ]
    assert len(holders) >= 4
    for path in holders:
        private_place = any(
            not parent.stat().st_mode & 0o077
            for parent in path.parents
            if parent.is_relative_to(config.home)
        )
        assert private_place or not path.stat().st_mode & 0o077, path


def test_the_roles_tokens_verify_with_the_stacks_secret(config: StackConfig) -> None:
    credentials = Credentials.load_or_generate(config.secrets)
    for token, role in (
        (credentials.anon_jwt, "anon"),
        (credentials.service_role_jwt, "service_role"),
    ):
        claims = jwt.decode(
            token, credentials.jwt_secret, algorithms=["HS256"], audience="authenticated"
        )
        assert claims["role"] == role


def test_the_variables_are_all_there_and_a_shell_reads_the_same(config: StackConfig) -> None:
    variables = stack_environment(config, Credentials.generate())
    assert set(variables) >= CONTRACT
    write_environment(config.environment, variables)
    assert read_environment(config.environment) == variables
    shown = subprocess.run(
        ["sh", "-c", f'set -a; . "{config.environment}"; env'],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    for name, value in variables.items():
        assert f"{name}={value}" in shown.stdout.splitlines()


def test_a_persons_stripe_keys_leave_the_sandbox(config: StackConfig) -> None:
    ours = stack_environment(config, Credentials.generate())
    theirs = {"STRIPE_SECRET_KEY": "sk_test_own", "STRIPE_WEBHOOK_SECRET": "whsec_own"}
    merged = with_own_accounts(ours, theirs)
    assert merged["STRIPE_API_BASE"] == ""
    assert merged["STRIPE_SECRET_KEY"] == "sk_test_own"


def test_keys_of_another_stacks_sandbox_are_never_sent_to_stripe(config: StackConfig) -> None:
    ours = stack_environment(config, Credentials.generate())
    sourced = stack_environment(config, Credentials.generate())
    merged = with_own_accounts(ours, sourced)
    assert merged["STRIPE_API_BASE"] == ours["STRIPE_API_BASE"]
    assert merged["STRIPE_SECRET_KEY"] == ours["STRIPE_SECRET_KEY"]


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="in the way"):
        make_private_directory(tmp_path / "file", None)


def test_a_made_directory_is_for_its_account_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    user = server_user()
    make_private_directory(tmp_path / "data", user)
    make_private_directory(tmp_path / "data", user)
    entry = (tmp_path / "data").stat()
    assert stat.S_IMODE(entry.st_mode) == 0o700
    assert entry.st_uid == (os.geteuid() if user is None else user.uid)


def test_reach_is_decided_by_every_directory_on_the_way(tmp_path: Path) -> None:
    stranger = User("nobody", 65534, 65534)
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    inner.chmod(0o711)
    inner.parent.chmod(0o700)
    assert not can_reach(inner, stranger)
    assert can_reach(Path("/"), stranger)


def test_what_supabases_configuration_names_is_there() -> None:
    directory = ROOT / "supabase"
    document = tomllib.loads((directory / "config.toml").read_text())
    config = read_supabase_config(ROOT)
    assert config.schemas == ("public", "service")
    assert document["api"]["auto_expose_new_tables"] is False
    assert document["db"]["major_version"] == 17
    assert {each.name for each in config.functions} >= {"calendar-feed", "booking-widget"}
    for function in config.functions:
        assert function.entrypoint.is_file(), function
    for template in document["auth"]["email"]["template"].values():
        assert (ROOT / template["content_path"]).is_file(), template
    for seed in document["db"]["seed"]["sql_paths"]:
        assert (directory / seed).is_file(), seed


def run(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of the developer, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "escapemaster_dev", *arguments],
        env={**os.environ, "CI": "", "ESCAPEMASTER_HOME": str(home), **environment},
        input="",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("command", [["status"], ["down"], ["reset", "--yes"], ["up"]])
def test_a_directory_of_another_user_is_named_and_not_traced(
    tmp_path: Path, command: list[str]
) -> None:
    # What a kernel says to whoever is not the owner; root is told so by a directory in its place.
    program = (
        "import builtins, pathlib, sys\n"
        "def refuse(self, *a, **k):\n"
        "    raise PermissionError(13, 'Permission denied', str(self))\n"
        "for name in ('open', 'exists', 'read_text', 'mkdir', 'chmod'):\n"
        "    setattr(pathlib.Path, name, refuse)\n"
        "from escapemaster_dev.cli import main\n"
        f"sys.argv = ['escapemaster', *{command!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ESCAPEMASTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "Permission denied" in done.stderr
    assert "ESCAPEMASTER_HOME" in done.stderr


def test_nothing_is_thrown_away_before_somebody_said_yes(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir(mode=0o700)
    kept = tmp_path / "mail" / "one.eml"
    kept.write_text("Dear all")
    asked = run("reset", home=tmp_path)
    assert asked.returncode != 0
    assert f"Delete all data in {tmp_path}" in asked.stdout.replace("\n", "")
    assert kept.exists()
    for yes, environment in (((), {"CI": "true"}), (("--yes",), {})):
        assert run("reset", *yes, home=tmp_path, **environment).returncode == 0
        assert not kept.exists()


def test_the_variables_can_be_sourced_from_a_directory_with_spaces(tmp_path: Path) -> None:
    home = tmp_path / "my stack's home"
    home.mkdir()
    config = StackConfig(home=home, ports=Ports(20000))
    config.environment.write_text("SOME=thing\n")
    variables = {"SUPABASE_URL": "u", "MAILBOX_URL": "m"}
    lines = dict(_next_steps(config, variables))
    done = subprocess.run(
        ["bash", "-c", f"{lines['All variables']} && echo $SOME"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "thing\n"
