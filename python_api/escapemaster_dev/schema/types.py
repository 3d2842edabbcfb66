"""Client types, generated from the exposed schemas and committed.

Supabase's generator writes them, the project's own formatters lay them out.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from escapemaster_dev.schema import composites, known_values
from escapemaster_dev.schema.project import EXPOSED_SCHEMAS, PROJECT, Project, SchemaError
from escapemaster_dev.schema.server import Server, scratch_server
from escapemaster_dev.schema.sources import apply_files
from escapemaster_dev.schema.supabase_cli import run_supabase

_NOTE = "Generated from sql/ by `make types`. Do not edit."


@dataclass(frozen=True, slots=True)
class _Told:
    """What the generator cannot see: known values, and what comments say of fields and answers."""

    values: known_values.KnownValues
    types: Mapping[str, composites.Composite]
    said: Mapping[str, composites.Answer]


def write_types(*, project: Project = PROJECT, server: Server | None = None) -> list[Path]:
    """Write the types of what `sql/` describes.

    Returns:
        The files whose content changed.

    Raises:
        SchemaError: `sql/` cannot be applied, or a generator or formatter failed.
    """
    changed = []
    for path, content in generate_types(project=project, server=server).items():
        if not path.exists() or path.read_text() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            changed.append(path)
    return changed


def generate_types(*, project: Project = PROJECT, server: Server | None = None) -> dict[Path, str]:
    """The content that each file of generated types should have."""
    with scratch_server(server) as on, on.scratch("types") as dsn:
        apply_files(dsn, project.source_files())
        return types_of(dsn, project)


def types_of(dsn: str, project: Project = PROJECT) -> dict[Path, str]:
    """The same, of a database that was made by `sql/`."""
    with psycopg.connect(dsn) as connection:
        told = _Told(
            known_values.known_values(connection),
            composites.composites(connection),
            composites.answers(connection),
        )
    return {
        project.typescript_types: _typescript(dsn, told),
        project.python_types: _python(dsn, told),
    }


def _generate(dsn: str, language: str) -> str:
    schemas = [argument for name in EXPOSED_SCHEMAS for argument in ("--schema", name)]
    return run_supabase("gen", "types", f"--remote={dsn}", "--lang", language, *schemas)


def _typescript(dsn: str, told: _Told) -> str:
    deno = Path(sys.executable).with_name("deno")
    config = PROJECT.root / "edge" / "deno.json"
    layout = [str(deno), "fmt", "--quiet", "--config", str(config), "--ext=ts", "-"]
    generated = composites.in_typescript(_generate(dsn, "typescript"), told.types, told.said)
    content = f"// {_NOTE}\n// deno-lint-ignore-file\n\n{generated}"
    # Laid out before, so that each column stands on a line of its own, and again after.
    return _through(layout, known_values.in_typescript(_through(layout, content), told.values))


def _python(dsn: str, told: _Told) -> str:
    layout = [sys.executable, "-m", "ruff", "format", "--line-length", "100", "--isolated", "-"]
    content = f'"""{_NOTE}"""\n\n{_generate(dsn, "python")}'
    content = composites.in_python(content, told.types)
    return _through(layout, known_values.in_python(content, told.values))


def _through(command: list[str], content: str) -> str:
    process = subprocess.run(
        command, input=content, cwd=PROJECT.root, capture_output=True, text=True, check=False
    )
    if process.returncode != 0:
        raise SchemaError(f"{Path(command[0]).name} failed:\n{process.stderr}")
    return process.stdout
