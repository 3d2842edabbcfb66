"""Words that staff write freely: who reads them, column by column."""

from __future__ import annotations

from client import Connection
from matrix.expectations import expectations

_EXPECTED = expectations()

#: Columns of free text that do not take customers:read, and why.
_OF_NOBODY: dict[str, str] = {
    name: reason
    for reason, names in {
        "shown to the public": (
            "calendars.terms calendars.descriptions calendar_fields.label calendar_fields.help"
            " calendar_fields.options calendar_fields.placeholder"
            " room_images.alt extras.descriptions locations.address locations.directions"
            " voucher_products.descriptions"
            " rooms.description rooms.descriptions organizations.descriptions waiver_texts.texts"
            " email_template_overrides.body"
        ),
        "why a room or a day is not on sale: about the venue, and the board shows it": (
            "calendar_blocked_dates.reason room_blocks.reason schedule_exceptions.reason"
            " sessions.reason"
        ),
        "told to whoever has booked": "locations.arrival_hints",
        "about a coupon or a role, which are not one person's": (
            "coupons.description roles.description"
        ),
        "written for whoever runs the game": (
            "bookings.staff_note game_events.note game_results.notes game_results.correction_reason"
        ),
        "what is broken in a room: about the venue, for whoever runs its games": (
            "room_incidents.description room_incidents.resolution"
        ),
        "the calendar's terms as they were agreed to": "voucher_orders.accepted_terms",
        "a gift's own words, which come with the gift's permission": (
            "vouchers.message voucher_orders.message"
        ),
        "a question, which names columns and conditions": "saved_reports.statement",
        "the platform's, about its visit": "support_entries.reason",
    }.items()
    for name in names.split()
}


def free_texts(connection: Connection) -> dict[str, str]:
    """Every column of members' tables that takes free text: what a trigger cleans as notes."""
    rows = connection.execute(
        r"""
        select distinct c.relname || '.' || a.name, c.relname
        from pg_trigger as t
        join pg_class as c on c.oid = t.tgrelid and c.relnamespace = 'public'::regnamespace
        cross join string_to_table(encode(t.tgargs, 'escape'), '\000')
          with ordinality as a (name, n)
        where t.tgfoid = 'private.clean_texts'::regproc
          and starts_with(encode(t.tgargs, 'escape'), 'notes\000')
          and a.n > 1 and a.name <> '' -- the first says how, the others which
        """
    )
    return dict(rows.fetchall())


def is_protected(table: str) -> bool:
    """Whether no client reads the table without customers:read."""
    needed = _EXPECTED.tables[table].needed("select")
    return needed is None or "customers:read" in needed


def test_every_free_text_takes_customers_read_or_says_why_not(
    tenancy_connection: Connection,
) -> None:
    columns = free_texts(tenancy_connection)
    assert len(columns) > 20
    open_to_others = {name for name, table in columns.items() if not is_protected(table)}
    assert open_to_others == set(_OF_NOBODY), "here, say in _OF_NOBODY why"


def test_the_note_of_a_refund_is_shown_with_customers_read_only() -> None:
    assert "customers:read" in _EXPECTED.functions["public.get_pending_refunds"].shows


def test_a_reason_in_a_booking_s_history_is_the_product_s_or_says_that_there_are_words(
    tenancy_connection: Connection,
) -> None:
    """So that no function that is written tomorrow puts a person's words where all staff read."""
    checked = tenancy_connection.execute(
        "select conrelid::regclass::text from pg_constraint"
        " where contype = 'c' and pg_get_constraintdef(oid) like '%is_status_reason(%'"
    ).fetchall()
    assert sorted(table for (table,) in checked) == ["booking_history", "bookings"]
    unknown = tenancy_connection.execute(
        "select reason from private.booking_deadlines where not private.is_status_reason(reason)"
    ).fetchall()
    assert unknown == []
    for words in ("Zoraida phoned", "Paid", "paid ", "hold lapsed"):
        row = tenancy_connection.execute("select private.is_status_reason(%s)", [words]).fetchone()
        assert row == (False,), words
