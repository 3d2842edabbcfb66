"""Files of rows: made page by page in flat memory, with nothing in them that a spreadsheet runs."""

from __future__ import annotations

import csv
import gc
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import UUID

import httpx
import pytest
from fpdf import FPDF

from db.exports_world import csv_rows, xlsx_rows
from escapemaster.database import Job, ServiceDatabase, TableExport, connection_pool
from escapemaster.email.content import Site
from escapemaster.errors import UnavailableError
from escapemaster.reports import month
from escapemaster.reports.figures import MonthFigures
from escapemaster.storage import Storage
from escapemaster.worker import sheets
from escapemaster.worker.handlers import EXPORT_ATTEMPTS, ExportFailedError, Tools, handle
from escapemaster.worker.sheets import FORMULAS, Amount, Cell, open_sheet
from escapemaster.worker.tables import write_table

from .fakes import FakePostgrest, FakeStorage, refusal

ORGANIZATION = "018f0000-0000-7000-8000-000000000002"
REQUEST = "018f0000-0000-7000-8000-00000000000a"
LEASE = UUID("018f0000-0000-7000-8000-0000000000ff")
#: The lease of the job that `job` makes.
LEASED = {"job_id": 1, "lease_token": str(LEASE)}
PATH = f"{ORGANIZATION}/{REQUEST}"
WANTED = {
    "kind": "payments",
    "format": "csv",
    "locale": "en",
    "object_path": f"{PATH}.csv",
    "permissions": ["reports:export", "payments:read"],
}
EXPORT: dict[str, Any] = {"organization_id": ORGANIZATION, "export_id": REQUEST}


def job(kind: str, attempt: int = 1, **payload: Any) -> Job:
    return Job(id=1, kind=kind, payload=payload, attempt=attempt, lease_token=LEASE)


@pytest.fixture
async def tools(postgrest: FakePostgrest, files: FakeStorage) -> AsyncIterator[Tools]:
    """What exports work with."""
    async with (
        connection_pool(postgrest.transport) as pool,
        httpx.AsyncClient(transport=files.transport) as storage,
    ):
        yield Tools(
            database=ServiceDatabase(
                pool, url="http://gateway.test", secret_key="k", retry_delays=()
            ),
            stripe=cast("Any", None),
            mail=cast("Any", None),
            storage=Storage(storage, url="http://gateway.test/", secret_key="k"),
            site=Site("https://play.example.test/"),
        )


def entry(number: int, **values: object) -> dict[str, Any]:
    return {
        "id": f"018f0000-0000-7000-8000-{number:012}",
        "occurred_at": "2027-03-28T03:30:00",
        "timezone": "Europe/Madrid",
        "entry": "payment",
        "method": "cash",
        "currency": "EUR",
        "amount": number,
        "provider_id": None,
        **values,
    }


class Counted(dict[str, Any]):
    """A row that says how many of its kind are in memory."""

    alive: ClassVar[int] = 0

    def __init__(self, row: dict[str, Any]) -> None:
        super().__init__(row)
        type(self).alive += 1

    def __del__(self) -> None:
        type(self).alive -= 1


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_no_more_than_a_page_of_rows_is_in_memory_however_many_there_are(
    form: str, tmp_path: Path
) -> None:
    pages, size = 60, 100
    peaks = []
    # What is there already is no row of this file, and takes long to go through each time.
    gc.freeze()

    class Paged:
        async def read_table_export(
            self, _job: Job, _after: str | None, rows_before: int
        ) -> list[Counted]:
            gc.collect()
            peaks.append(Counted.alive)
            if rows_before == pages * size:
                return []
            return [Counted(entry(rows_before + number)) for number in range(size)]

    export = TableExport.model_validate({**WANTED, "format": form})
    path = tmp_path / f"file.{form}"
    rows = await write_table(
        cast("ServiceDatabase", Paged()), job("table.export", **EXPORT), export, path
    )
    assert rows == pages * size
    found = len(csv_rows(path)) if form == "csv" else len(xlsx_rows(path)) - 1
    assert found == rows
    # Before a page is read, that before it is gone.
    assert len(peaks) == pages + 1
    assert max(peaks) <= 1


async def test_an_export_is_written_page_by_page_and_put_in_its_place(
    tools: Tools, postgrest: FakePostgrest, files: FakeStorage
) -> None:
    files.files["table-exports"] = {}
    postgrest.answer("begin_table_export", WANTED)
    # The first page is shorter than the second: that is not the end.
    postgrest.answer("read_table_export", [entry(1)], [entry(2), entry(3)], [])
    postgrest.answer("finish_table_export", None)
    await handle(job("table.export", **EXPORT), tools)
    written = files.files["table-exports"][f"{PATH}.csv"].decode("utf-8-sig").splitlines()
    rows = list(csv.DictReader(written))
    assert [row["Amount"] for row in rows] == ["0.01", "0.02", "0.03"]
    assert {row["Date"] for row in rows} == {"2027-03-28 03:30:00"}
    asked = [(call["after"], call["rows_before"]) for call in postgrest.called("read_table_export")]
    assert asked == [(None, 0), (entry(1)["id"], 1), (entry(3)["id"], 3)]
    assert postgrest.called("finish_table_export") == [{**LEASED, "row_count": 3}]
    [upload] = files.uploaded
    assert upload["file"].get_content_type() == "text/csv"


async def test_what_nobody_may_have_any_more_is_not_made(
    tools: Tools, postgrest: FakePostgrest, files: FakeStorage
) -> None:
    postgrest.answer("begin_table_export", None, WANTED)
    await handle(job("table.export", **EXPORT), tools)
    assert postgrest.called("read_table_export") == []
    # The permission goes while pages are read: it ends, and nobody has to look at it.
    postgrest.answer("read_table_export", [entry(1)], refusal("PT403", "export_not_allowed"))
    postgrest.answer("finish_table_export", None)
    await handle(job("table.export", **EXPORT), tools)
    assert postgrest.called("finish_table_export") == [{**LEASED, "row_count": None}]
    assert files.requests == []


async def test_an_export_is_tried_again_and_given_up_in_the_end(
    tools: Tools, postgrest: FakePostgrest, files: FakeStorage
) -> None:
    files.files["table-exports"] = {}
    postgrest.answer("begin_table_export", WANTED, WANTED)
    postgrest.answer("read_table_export", [entry(1)], [], [entry(1)], [])
    postgrest.answer("finish_table_export", None)
    files.broken = [httpx.Response(503), httpx.Response(503)]
    with pytest.raises(UnavailableError):
        await handle(job("table.export", attempt=EXPORT_ATTEMPTS - 1, **EXPORT), tools)
    assert postgrest.called("finish_table_export") == []
    with pytest.raises(ExportFailedError):
        await handle(job("table.export", attempt=EXPORT_ATTEMPTS, **EXPORT), tools)
    assert postgrest.called("finish_table_export") == [{**LEASED, "row_count": None}]


async def test_a_file_whose_time_is_over_is_deleted_once_or_twice(
    tools: Tools, files: FakeStorage
) -> None:
    files.files["table-exports"] = {f"{PATH}.csv": b"", f"{PATH}.xlsx": b""}
    for _ in range(2):
        await handle(job("export.erase", object_path=f"{PATH}.csv"), tools)
    assert files.files["table-exports"] == {f"{PATH}.xlsx": b""}


def write(path: Path, *rows: tuple[Cell, ...]) -> None:
    headings = [f"Column {number}" for number, _ in enumerate(rows[0])]
    with open_sheet(path, path.suffix[1:], "Rows", headings, ("yes", "no")) as sheet:
        sheet.write(rows)


@pytest.mark.parametrize("start", FORMULAS)
def test_no_text_is_a_formula(start: str, tmp_path: Path) -> None:
    text = f"{start}1+1|cmd"
    write(tmp_path / "file.csv", (text, f"a{text}"))
    [row] = csv_rows(tmp_path / "file.csv")
    assert list(row.values()) == [f"'{text}", f"a{text}"]
    write(tmp_path / "file.xlsx", (text, f"a{text}", "https://example.test", "12"))
    _, cells = xlsx_rows(tmp_path / "file.xlsx")
    assert {kind for kind, _ in cells} == {"inlineStr"}
    assert cells[2:] == [("inlineStr", "https://example.test"), ("inlineStr", "12")]


def test_amounts_are_numbers_with_the_digits_of_their_currency(tmp_path: Path) -> None:
    amounts = ("1250", "12.50", "-12.50", "1.250")
    write(tmp_path / "file.csv", tuple(Amount(Decimal(amount)) for amount in amounts))
    [row] = csv_rows(tmp_path / "file.csv")
    assert tuple(row.values()) == amounts
    write(tmp_path / "file.xlsx", tuple(Amount(Decimal(amount)) for amount in amounts))
    _, cells = xlsx_rows(tmp_path / "file.xlsx")
    assert {kind for kind, _ in cells} == {"n"}
    assert [Decimal(text) for _, text in cells] == [Decimal(amount) for amount in amounts]


def test_more_rows_than_a_sheet_may_have_go_on_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "SHEET_ROWS", 4)
    write(tmp_path / "file.xlsx", *[(number, True, timedelta(seconds=1)) for number in range(7)])
    found = [xlsx_rows(tmp_path / "file.xlsx", sheet) for sheet in (1, 2, 3)]
    assert [len(rows) for rows in found] == [4, 4, 2]
    assert {rows[0][0] for rows in found} == {("inlineStr", "Column 0")}
    assert [row[0][1] for rows in found for row in rows[1:]] == [str(n) for n in range(7)]


def month_of(names: tuple[str, ...] = ("La cripta",), cents: int = 123_456) -> dict[str, Any]:
    """The figures of a month, as the database says them."""
    money = {
        "received_cents": cents,
        "refunded_cents": 0,
        "net_cents": cents,
        "outstanding_cents": 5_000,
    }
    games = {
        "results": 3,
        "escaped_bp": 6_667,
        "median_escape_seconds": 3_130,
        "games": 3,
        "staff_minutes_per_game": 90,
    }
    occupancy = {"occupancy_bp": 4_150, "waitlisted": 2, "lapsed_holds": 1}
    revenue = {
        "currency": "EUR",
        "total": money,
        "methods": [{"method": method, **money} for method in METHODS],
        "rooms": [
            {"room_id": str(number), "name": name, "sums": money}
            for number, name in enumerate(names)
        ],
        "series": [{"from_date": f"2027-03-{day:02}", "sums": money} for day in range(1, 32)],
    }
    bookings = {
        "bookings": 20,
        "players": 80,
        "cancelled_bp": 500,
        "no_show_bp": None,
        "lead_minutes": 7_300,
        "new_customers": 12,
    }
    said = {
        "revenue": [revenue],
        "bookings": {"total": bookings},
        "games": {"total": games, "rooms": [{"name": name, "sums": games} for name in names]},
        "occupancy": {
            "total": occupancy,
            "hours": [{"weekday": 6, "hour": 18, "sums": occupancy}],
        },
    }
    before = {f"{name}_before": value for name, value in said.items()}
    return {
        "organization_name": "Casa Laberinto",
        "first_date": "2027-03-01",
        **said,
        **before,
    }


METHODS = ("stripe", "cash", "card_terminal", "transfer", "bizum", "voucher")
MONTH = {**WANTED, "kind": "month", "format": "pdf", "object_path": f"{PATH}.pdf"}


def printed(figures: dict[str, Any], language: str, path: Path) -> str:
    """What is printed of a month, in the order in which it is written."""
    shown: list[str] = []

    class Listening(FPDF):
        def cell(self, *args: Any, **options: Any) -> Any:
            shown.append(args[2] if len(args) > 2 else options.get("text", ""))
            return super().cell(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(month, "FPDF", Listening)
        month.write_month(MonthFigures.model_validate(figures), language, path)
    return "\n".join(shown)


async def test_a_month_is_drawn_and_put_in_its_place(
    tools: Tools, postgrest: FakePostgrest, files: FakeStorage
) -> None:
    files.files["table-exports"] = {}
    postgrest.answer("begin_table_export", MONTH, MONTH)
    postgrest.answer("read_month", month_of())
    postgrest.answer("finish_table_export", None)
    await handle(job("table.export", **EXPORT), tools)
    first = files.files["table-exports"][f"{PATH}.pdf"]
    assert first.startswith(b"%PDF-")
    assert postgrest.called("finish_table_export") == [{**LEASED, "row_count": 2}]
    assert files.uploaded[0]["file"].get_content_type() == "application/pdf"
    # A worker that was killed before it said so makes the same file again, in the same place.
    await handle(job("table.export", attempt=2, **EXPORT), tools)
    assert files.files["table-exports"] == {f"{PATH}.pdf": first}


async def test_a_month_that_nobody_may_have_any_more_is_not_made(
    tools: Tools, postgrest: FakePostgrest, files: FakeStorage
) -> None:
    postgrest.answer("begin_table_export", MONTH)
    postgrest.answer("read_month", refusal("PT403", "export_not_allowed"))
    postgrest.answer("finish_table_export", None)
    await handle(job("table.export", **EXPORT), tools)
    assert postgrest.called("finish_table_export") == [{**LEASED, "row_count": None}]
    assert files.requests == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", ("Informe de marzo de 2027", "Comparado con febrero de 2027", "1.234,56 €")),
        ("en", ("Report of March 2027", "Compared with February 2027", "€1,234.56")),
        ("ca", ("Informe de març del 2027", "Comparat amb febrer del 2027", "1.234,56 €")),
    ],
)
def test_a_month_is_told_in_the_reader_s_language(
    language: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    shown = printed(month_of(), language, tmp_path / "month.pdf")
    for word in words:
        assert word in shown
    # Nothing is cut off.
    assert "…" not in shown
    assert "None" not in shown
    assert "{" not in shown


def test_a_month_of_any_venue_can_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "month.pdf"
    many = tuple(f"Sala {number}" for number in range(60))
    assert "Sala 59" in printed(month_of(many), "es", path)
    # Long names are not cut, and of those without letters the number is said.
    long = "El laboratorio del doctor Frankenstein y su ayudante"
    shown = printed(month_of((long, "密室逃脱")), "es", path)
    assert long in " ".join(shown.splitlines())
    assert "Sala 2" in shown
    nothing = month_of(cents=0)
    nothing["occupancy"] = None
    nothing["revenue_before"] = None
    for hour in nothing["occupancy_before"]["hours"]:
        hour["sums"]["occupancy_bp"] = None
    assert "Este mes no hay nada que mostrar." in printed(nothing, "es", path)
    assert "−1.234,56" in printed(month_of(cents=-123_456), "es", path).replace("-", "−")


@pytest.mark.parametrize("language", ["es", "en", "ca"])
def test_what_fell_is_told_as_less(language: str, tmp_path: Path) -> None:
    fell = month_of()
    before = fell["bookings_before"]["total"]
    fell["bookings_before"] = {"total": {**before, "bookings": 40, "cancelled_bp": 640}}
    shown = printed(fell, language, tmp_path / "month.pdf")
    assert "- 50 %" in shown
    assert re.search(r"- 1[.,]4 ", shown)
