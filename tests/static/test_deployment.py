"""What a deployment is told, in DEPLOY.md and in the hosts' files, is what the code reads."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from escapemaster.payments.stripe_gateway import RECONCILED_EVENTS
from escapemaster.settings import Settings
from escapemaster_dev.deploy import hosts, variables
from escapemaster_dev.deploy.__main__ import faults
from escapemaster_dev.deploy.variables import GUIDE, table
from escapemaster_dev.stack.config import ROOT

WORKER = "python -m escapemaster worker"
EVENT = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)`")
READ = {name.upper(): field for name, field in Settings.model_fields.items()}


def step(number: int) -> str:
    """A step of DEPLOY.md."""
    found = re.search(
        rf"^## {number}\. .*?\n(.*?)(?=^## |\Z)", GUIDE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found
    return found[1]


def names(text: str) -> set[str]:
    return set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text))


def render() -> dict[str, Any]:
    services = yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
    return {service["type"]: service for service in services}


def test_render_asks_for_every_variable_that_is_needed_and_for_none_that_is_not_read() -> None:
    for service in render().values():
        asked = {variable["key"] for variable in service["envVars"]}
        assert asked <= READ.keys()
        assert {name for name, field in READ.items() if field.is_required()} <= asked


def test_the_guide_names_what_render_asks_for_and_nothing_that_is_not_read() -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)`", table(), re.MULTILINE))
    assert {variable["key"] for variable in render()["web"]["envVars"]} == named
    assert names(step(4)) <= READ.keys()


def test_the_guide_names_the_events_that_are_handled() -> None:
    stripe = set(EVENT.findall(step(2)))
    resend = set(EVENT.findall(step(3)))
    sql = "".join(path.read_text() for path in (ROOT / "sql").glob("80_messages/*.sql"))
    mail = set(re.findall(r"'(email\.(?:delivered|opened|bounced|complained|failed))'", sql))
    assert stripe == set(RECONCILED_EVENTS)
    assert resend == mail


def test_a_worker_is_not_asked_whether_the_service_is_healthy() -> None:
    service, worker = (
        json.loads((ROOT / name).read_text())["deploy"]
        for name in ("railway.json", "railway.worker.json")
    )
    assert "healthcheckPath" in service
    assert "startCommand" not in service
    assert worker["startCommand"] == render()["worker"]["dockerCommand"] == WORKER
    assert "healthcheckPath" not in worker
    assert "healthCheckPath" not in render()["worker"]
    assert "`/railway.worker.json`" in step(5)


def test_a_start_command_means_the_same_on_every_host() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert not re.search(r"^ENTRYPOINT", dockerfile, re.MULTILINE)
    assert re.findall(r"^CMD (.*)$", dockerfile, re.MULTILINE) == [
        '["python", "-m", "escapemaster", "serve", "--host", "0.0.0.0"]'
    ]


def test_nothing_keeps_this_checkout_from_being_deployed() -> None:
    assert list(faults()) == []


def test_a_variable_that_a_file_does_not_name_is_found() -> None:
    texts = hosts.texts()
    for name in texts:
        without = {**texts, name: texts[name].replace("SUPABASE_SECRET_KEY", "X")}
        assert hosts.missing_variables(without) == [f"{name} does not name SUPABASE_SECRET_KEY"]


def test_a_table_that_is_not_what_the_settings_say_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GUIDE", "EXAMPLE"):
        path = tmp_path / name
        path.write_text(
            getattr(variables, name).read_text().replace("Stripe's secret key", "A key")
        )
        monkeypatch.setattr(variables, name, path)
    assert [path.name for path in variables.stale()] == ["GUIDE", "EXAMPLE"]
    variables.write()
    assert variables.stale() == []


FILES = hosts.files()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("railway.json", lambda said: said["deploy"].update(drainingSeconds="30")),
        ("railway.json", lambda said: said["deploy"].update(restartPolicyType="SOMETIMES")),
        ("railway.worker.json", lambda said: said["deploy"].update(startComand="x")),
        ("railway.worker.json", lambda said: said["build"].update(builder="HEROKUISH")),
        ("render.yaml", lambda said: said["services"][0].update(healthCheck="/health/ready")),
        ("render.yaml", lambda said: said["services"][0].update(maxShutdownDelaySeconds=301)),
        ("render.yaml", lambda said: said["services"][1].update(healthCheckPath="/")),
        ("render.yaml", lambda said: said["services"][0].update(autoDeployTrigger=False)),
        ("render.yaml", lambda said: said["services"][0]["envVars"].append({"key": "X"})),
        (
            ".github/workflows/ci.yml",
            lambda said: said["jobs"]["check"]["steps"][0].update(uses="actions/checkout@v4"),
        ),
        (".github/workflows/ci.yml", lambda said: said["jobs"]["check"].pop("timeout-minutes")),
        (".github/workflows/ci.yml", lambda said: said["jobs"]["check"].update(need="x")),
        (".github/workflows/deploy.yml", lambda said: said.pop("permissions")),
    ],
)
def test_a_file_that_its_host_would_refuse_is_found(name: str, change: Any) -> None:
    document, schema = FILES[name]
    changed = copy.deepcopy(document)
    change(changed)
    assert hosts.invalid(document, schema) == []
    assert hosts.invalid(changed, schema) != []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda jobs: jobs["hosts"].pop("needs"), "hosts does not wait for configuration"),
        (lambda jobs: jobs["database"].update(needs="x"), "database does not wait for checks"),
        (lambda jobs: jobs["smoke"].update({"if": "always()"}), "smoke starts although"),
        (lambda jobs: jobs["functions"].update({"continue-on-error": True}), "functions may fail"),
        (lambda jobs: jobs.pop("smoke"), "the jobs are checks, "),
    ],
)
def test_a_deployment_in_another_order_is_found(change: Any, fault: str) -> None:
    deploy = copy.deepcopy(FILES[".github/workflows/deploy.yml"][0])
    assert hosts.out_of_order(deploy) == []
    change(deploy["jobs"])
    assert any(said.startswith(fault) for said in hosts.out_of_order(deploy))


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("name", ["README.md", "DEPLOY.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_what_a_page_links_to_is_there(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", (ROOT / name).read_text())
    assert links
    for file, anchor in links:
        path = ROOT / (file or name)
        assert path.exists(), file
        assert not anchor or anchor in anchors(path.read_text()), f"{file}#{anchor}"
