"""What a deployment is told, in the README and in the hosts' files, is what the code reads."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml  # type: ignore[import-untyped]

from escapemaster.payments.stripe_gateway import RECONCILED_EVENTS
from escapemaster.settings import Settings
from escapemaster_dev.stack.config import ROOT

WORKER = "python -m escapemaster worker"
READ = {name.upper(): field for name, field in Settings.model_fields.items()}


def hosted(step: int) -> str:
    """A step of the README's way to a hosted project."""
    section = (ROOT / "README.md").read_text().partition("## A hosted project")[2]
    found = re.search(rf"^{step}\. (.*?)(?=^\d\. |\Z)", section, re.MULTILINE | re.DOTALL)
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


def test_the_readme_names_what_render_asks_for_and_nothing_that_is_not_read() -> None:
    named = names(hosted(3))
    assert {variable["key"] for variable in render()["web"]["envVars"]} <= named
    assert named <= READ.keys()


def test_the_readme_names_the_events_that_are_handled() -> None:
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", hosted(4)))
    sql = "".join(path.read_text() for path in (ROOT / "sql").glob("80_messages/*.sql"))
    mail = set(re.findall(r"'(email\.(?:delivered|bounced|complained|failed))'", sql))
    assert named == {*RECONCILED_EVENTS, *mail}


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
    assert "`/railway.worker.json`" in hosted(3)


def test_a_start_command_means_the_same_on_every_host() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert not re.search(r"^ENTRYPOINT", dockerfile, re.MULTILINE)
    assert re.findall(r"^CMD (.*)$", dockerfile, re.MULTILINE) == [
        '["python", "-m", "escapemaster", "serve", "--host", "0.0.0.0"]'
    ]
