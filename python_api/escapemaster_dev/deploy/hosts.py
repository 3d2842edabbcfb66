"""What the hosts and the workflows are told: valid, complete, and in the right order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import yaml  # type: ignore[import-untyped]

from escapemaster_dev.deploy.variables import variables
from escapemaster_dev.stack.config import ROOT

_SCHEMAS: Final = Path(__file__).with_name("schemas")

#: The jobs of deploy.yml, each of which waits for all that are before it.
ORDER: Final = ("checks", "database", "functions", "configuration", "hosts", "smoke", "release")


def files() -> dict[str, tuple[Any, str]]:
    """Each file by its name, with the schema that it must obey."""
    found: dict[str, tuple[Any, str]] = {
        "render.yaml": (yaml.safe_load((ROOT / "render.yaml").read_text()), "render")
    }
    for name in ("railway.json", "railway.worker.json"):
        found[name] = (json.loads((ROOT / name).read_text()), "railway")
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        found[str(path.relative_to(ROOT))] = (workflow(path.read_text()), "workflow")
    return found


def workflow(text: str) -> Any:
    """A workflow; YAML 1.1 takes its key `on` for a truth value."""
    said = yaml.safe_load(text)
    if isinstance(said, dict) and True in said:
        said["on"] = said.pop(True)
    return said


def invalid(document: Any, schema: str) -> list[str]:
    """Where a file does not obey its schema."""
    rules = json.loads((_SCHEMAS / f"{schema}.json").read_text())
    return [
        f"{'.'.join(map(str, each.instance_path)) or 'the file'}: {each.message}"
        for each in jsonschema_rs.validator_for(rules).iter_errors(document)
    ]


def out_of_order(deploy: Mapping[str, Any]) -> list[str]:
    """Where a job of the deployment could start before the one that comes before it ended well."""
    jobs = deploy["jobs"]
    found = [] if tuple(jobs) == ORDER else [f"the jobs are {', '.join(jobs)}"]
    for number, name in enumerate(ORDER):
        job = jobs.get(name, {})
        needs = job.get("needs", [])
        needs = {needs} if isinstance(needs, str) else set(needs)
        if missing := set(ORDER[:number][-1:]) - needs:
            found.append(f"{name} does not wait for {missing.pop()}")
        if re.search(r"always\(\)|failure\(\)|cancelled\(\)", str(job.get("if", ""))):
            found.append(f"{name} starts although something failed")
        if job.get("continue-on-error"):
            found.append(f"{name} may fail")
    return found


def missing_variables(texts: Mapping[str, str]) -> list[str]:
    """Which variable of the settings a file does not name.

    Args:
        texts: The contents of `.env.example`, `DEPLOY.md`, `render.yaml` and `ci.yml`. The local
            stack's own need only be in the first; a workflow names those that are needed to start.
    """
    return list(_missing(texts))


def _missing(texts: Mapping[str, str]) -> Iterator[str]:
    for each in variables():
        named = re.compile(rf"\b{each.name}\b")
        wanted = {
            ".env.example": True,
            "DEPLOY.md": not each.local,
            "render.yaml": not each.local,
            "ci.yml": each.needed == "yes",
        }
        for name, text in texts.items():
            if wanted[name] and not named.search(text):
                yield f"{name} does not name {each.name}"


def texts() -> dict[str, str]:
    """The files that name variables."""
    paths = {
        ".env.example": ROOT / ".env.example",
        "DEPLOY.md": ROOT / "DEPLOY.md",
        "render.yaml": ROOT / "render.yaml",
        "ci.yml": ROOT / ".github" / "workflows" / "ci.yml",
    }
    return {name: path.read_text() for name, path in paths.items()}
