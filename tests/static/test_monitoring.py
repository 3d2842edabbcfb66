"""Alerts and dashboard ask for numbers that the service and its worker really tell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from escapemaster.api.metrics import Metrics
from escapemaster.database import Measure, QueueStatistics
from escapemaster.worker.metrics import WorkerMetrics
from escapemaster_dev.schema.composites import composites
from escapemaster_dev.stack.config import ROOT

OPS = ROOT / "ops"
#: What Prometheus itself puts beside our labels.
_OF_PROMETHEUS = {"instance", "job", "le", "alertname", "alertstate"}
_SELECTOR = re.compile(r"(escapemaster_[a-z_]+)(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"(?:by|on|without)\s*\(([^)]*)\)")


@pytest.fixture(scope="module")
def measures(sources_dsn: str) -> list[str]:
    """The names of `service.measures`, as its type says them."""
    with psycopg.connect(sources_dsn) as connection:
        fields = composites(connection)["service.measure"].fields
    [name] = [field for field in fields if field.name == "name"]
    return name.comment.removeprefix("one of: ").split(", ")


@pytest.fixture(scope="module")
def told(measures: list[str]) -> dict[str, set[str]]:
    """Every series of both processes, each counted once, with its labels."""
    service, worker = Metrics(), WorkerMetrics()
    service.answered("GET", "/v1/x", 200, 0.1)
    service.queue(QueueStatistics())
    service.received("stripe", "refund.created", datetime.now(UTC), duplicate=False)
    for kind in (None, "email.send"):
        with_kind = [Measure(name=name, kind=kind, value=1) for name in measures]
        before = service.exposition()
        service.measured(with_kind)
        assert service.exposition() != before
    service.measured([Measure(name=n, kind=k, value=1) for n in measures for k in (None, "a")])
    worker.running(1)
    worker.processed("email.send", "done", 0.1)
    worker.missed(1)
    return {
        sample.name: set(sample.labels)
        for process in (service, worker)
        for family in text_string_to_metric_families(process.exposition().decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((OPS / "alerts.yml").read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    board = json.loads((OPS / "dashboard.json").read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_names_numbers_and_labels_that_there_are(
    where: str, expression: str, told: dict[str, set[str]]
) -> None:
    asked = _SELECTOR.findall(expression)
    assert asked, "it asks for nothing of ours"
    labels = set(_OF_PROMETHEUS)
    for name, selected in asked:
        assert name in told, f"{where}: nobody tells {name}"
        labels |= told[name]
        for label in re.findall(r"([a-z_]+)\s*[=!]", re.sub(r'"[^"]*"', "", selected)):
            assert label in told[name] | _OF_PROMETHEUS, f"{where}: {name} has no label {label}"
    for grouping in _GROUPING.findall(expression):
        assert {label.strip() for label in grouping.split(",")} <= labels, f"{where}: ({grouping})"


def test_every_number_is_on_the_dashboard(told: dict[str, set[str]]) -> None:
    shown = {
        name
        for panel in panels()
        for t in panel["targets"]
        for name, _ in _SELECTOR.findall(t["expr"])
    }
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in told}
    assert families == {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in shown}


def test_each_measure_of_the_database_becomes_a_number_of_its_own(
    measures: list[str],
) -> None:
    numbers = Metrics()
    empty = numbers.exposition()
    for name in measures:
        kind = "a" if name.startswith("job") or name == "connections" else None
        numbers.measured([Measure(name=name, kind=kind, value=42)])
        assert numbers.exposition() != empty, f"{name} is not told"
        numbers.measured([])
        empty = numbers.exposition()


def test_an_alert_says_how_urgent_it_is_and_is_told_of_in_the_docs() -> None:
    page = (ROOT / "docs" / "operation.md").read_text()
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert f"| `{rule['alert']}` |" in page, f"docs/operation.md: {rule['alert']}"


def test_a_panel_has_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_each_alert_rings_for_what_it_is_about_in_prometheus_own_tests() -> None:
    tried = (OPS / "alerts_test.yml").read_text()
    for rule in rules():
        assert f'alertname="{rule["alert"]}"' in tried or f"alertname: {rule['alert']}" in tried
    # In no package index: CI has it from Debian.
    if promtool := shutil.which("promtool"):
        for arguments in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
            done = subprocess.run(
                [promtool, *arguments], cwd=OPS, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
