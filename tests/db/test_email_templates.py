"""What a new mail takes: a folder in the service, and a function with its row in the database."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db.money_world import Database, Venue, make_venue
from escapemaster.email.formatting import LOCALES
from escapemaster.email.mails import MAILS
from escapemaster.email.overrides import is_visible
from escapemaster_dev.stack.config import ROOT

SERVICE = ROOT / "python_api" / "escapemaster"

#: A mail that nobody sends. All that it takes is here.
FOLDER = {
    "__init__.py": '''
"""Wishes a customer well."""

from escapemaster.email.content import Content, Mail, MailData, Site, Typed


class Data(MailData):
    organization_name: Typed
    wish: Typed


def _content(data: Data, language: str, site: Site) -> Content:
    words = {"organization_name": data.organization_name, "wish": data.wish}
    return Content(data.organization_name, words, {"url": site.public_url}, lambda _: [])


MAIL = Mail(Data, _content, {"organization_name": "Casa Laberinto", "wish": "luck"})
''',
    "mail.mjml.j2": """{% extends "layout.mjml.j2" %}
{% from "parts.mjml.j2" import button, words %}
{% block body %}{{ words(opening) }}{{ button(url, t("more"), colours) }}{% endblock %}
""",
    "mail.txt.j2": """{% extends "layout.txt.j2" %}
{% block body %}{{ t("more") }}: {{ url }}{% endblock %}
""",
    "sentences.toml": "\n".join(
        f'[{name}]\nes = "{name} {{{{ wish }}}}"\nen = "{name} {{{{ wish }}}}"\nca = "{name}"\n'
        for name in ("subject", "preview", "heading", "intro", "more", "footer")
    ),
}
SQL = """
create function private.wish_content(organization_id uuid, cause jsonb)
returns jsonb language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'locale', 'en',
    'to', jsonb_build_object('name', 'Ada', 'email', 'ada@example.com'),
    'data', jsonb_build_object('organization_name', o.name, 'wish', cause ->> 'wish')
  )
  from public.organizations as o
  where o.id = wish_content.organization_id
$$;
select private.email_template_upsert('wish', 'wish_content');
"""
#: Renders what it is given, in every language, with the package that PYTHONPATH names.
RENDER = """
import json, sys
from escapemaster.database import PreparedEmail
from escapemaster.email.content import Site
from escapemaster.email.rendering import render
told = json.load(sys.stdin)
mails = [PreparedEmail.model_validate({**told, "locale": locale}) for locale in sys.argv[1:]]
site = Site("https://play.example.test")
print(json.dumps([[m.subject, m.html, m.text] for m in (render(mail, site) for mail in mails)]))
"""


@pytest.fixture
def venue(money: Database) -> Venue:
    money.run("delete from private.jobs")
    return make_venue(money)


@pytest.fixture
def wish(venue: Venue) -> Iterator[None]:
    venue.database.run(SQL)
    yield
    venue.database.run("delete from public.email_template_overrides where template = 'wish'")
    venue.database.run("delete from private.email_templates where name = 'wish'")
    venue.database.run("drop function private.wish_content")


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A copy of the service, in which a mail can be added."""
    shutil.copytree(SERVICE, tmp_path / "escapemaster")
    return tmp_path / "escapemaster"


def add_mail(service: Path, files: dict[str, str]) -> None:
    folder = service / "email" / "mails" / "wish"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)


def rendered(service: Path, told: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RENDER, *LOCALES],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        # The copy is not the product: its lines are not counted.
        env={
            **{name: value for name, value in os.environ.items() if "COVERAGE" not in name},
            "PYTHONPATH": str(service.parent),
        },
        check=False,
    )


def test_every_mail_has_a_folder_and_a_row(money: Database) -> None:
    rows = money.all("select name, content_function from private.email_templates")
    assert {row["name"] for row in rows} == set(MAILS), (
        "a folder of python_api/escapemaster/email/mails and private.email_template_upsert"
    )
    for row in rows:
        assert money.one(
            "select to_regprocedure(format('private.%%I(uuid, jsonb)', %s::text)) is not null",
            row["content_function"],
        ), row


def test_a_mail_without_its_function_is_refused(money: Database) -> None:
    with pytest.raises(Exception, match="define it first"):
        money.run("select private.email_template_upsert('poem', 'poem_content')")


def test_a_new_mail_is_a_folder_and_a_function_with_its_row(
    venue: Venue, wish: None, service: Path
) -> None:
    venue.owner.change(
        "insert into public.email_template_overrides (template, locale, subject)"
        " values ('wish', 'en', 'From {{ organization_name }}')"
    )
    venue.database.run(
        "select private.enqueue('email.send', jsonb_build_object("
        "  'template', 'wish', 'wish', 'fun'), 'wish:1', %s)",
        venue.organization_id,
    )
    jobs = venue.service.call("service.claim_jobs", worker="w", max_jobs=9, lease_seconds=60)
    [job] = [job for job in jobs if job["kind"] == "email.send"]
    told = venue.service.call(
        "service.prepare_email", job_id=job["id"], lease_token=job["lease_token"]
    )
    assert told["data"]["wish"] == "fun"
    add_mail(service, FOLDER)
    found = rendered(service, told)
    assert found.returncode == 0, found.stderr
    for subject, html, text in json.loads(found.stdout):
        assert subject == f"From {told['data']['organization_name']}"
        assert "https://play.example.test" in html and "https://play.example.test" in text


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({**FOLDER, "__init__.py": ""}, "has no MAIL"),
        ({n: c for n, c in FOLDER.items() if n != "mail.txt.j2"}, "mail.txt.j2 is missing"),
        ({n: c for n, c in FOLDER.items() if n != "__init__.py"}, "has no MAIL"),
        (
            {**FOLDER, "__init__.py": FOLDER["__init__.py"].replace('"wish": "luck"', '"wish": 1')},
            "sample is not its data",
        ),
        (
            {**FOLDER, "__init__.py": FOLDER["__init__.py"].replace('"wish": "luck"', '"wihs": 1')},
            "sample",
        ),
        (
            {
                **FOLDER,
                "sentences.toml": re.sub(
                    r"^ca = .*\n", "", FOLDER["sentences.toml"], flags=re.MULTILINE
                ),
            },
            "is not in es, en, ca",
        ),
        ({**FOLDER, "sentences.toml": '[subject]\nes = "a"\nen = "a"\nca = "a"\n'}, "no sentence"),
    ],
)
def test_half_a_mail_ends_the_start(service: Path, files: dict[str, str], problem: str) -> None:
    add_mail(service, files)
    found = rendered(service, {})
    assert found.returncode == 1
    assert "MailIncompleteError: email/mails/wish" in found.stderr
    assert problem in found.stderr


def test_code_names_a_mail_in_at_most_three_places() -> None:
    """Its folder, its content in SQL, and whoever queues it; a test is the fourth."""
    generated = {"database_types.py", "database.types.ts"}
    # What happened to a booking, of which staff are told, may be called as the customer's mail is.
    happened = re.compile(r'"(type|happened)": "\w+"|what == "\w+"')
    sources = {
        path: happened.sub("", path.read_text())
        for root in ("sql", "python_api/escapemaster", "edge")
        for path in (ROOT / root).rglob("*")
        if path.suffix in {".sql", ".py", ".ts"}
        and path.name not in generated
        and "dist" not in path.parts
    }
    for name in MAILS:
        folder = SERVICE / "email" / "mails" / name
        naming = re.compile(rf"""'template', '{name}'|template\w*\('{name}'|"{name}\"""")
        named = {
            path
            for path, text in sources.items()
            # The widget's page has parts of its own that are called by one plain word.
            if naming.search(text) and ("_" in name or "booking-widget" not in path.parts)
        }
        assert len({path for path in named if folder not in path.parents}) <= 2, (name, named)


def test_what_nobody_sees_is_the_same_to_the_service_and_to_the_database(money: Database) -> None:
    """Own words are tried by one and kept by the other."""
    # The planes in which something can be invisible; controls no text may hold.
    points = [*range(0xA0, 0xD800), *range(0xE000, 0x10000), *range(0x1D100, 0x1D200)]
    points += [*range(0xE0000, 0xE1010), *range(0x20, 0x7F), 0x1F511]
    unseen = money.all(
        "select n from unnest(%s::int[]) as n where not private.is_visible(chr(n))", points
    )
    assert {row["n"] for row in unseen} == {n for n in points if not is_visible(chr(n))}
