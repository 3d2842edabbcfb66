"""A venue that is a copy is what the product's functions would have made."""

from __future__ import annotations

import re

from db.copied_rows import Original
from db.money_world import Database, Venue, make_venue, new_venue


def without_its_own(venue: Venue) -> tuple[list[str], dict[bytes, list[str]]]:
    """All rows of a venue and its owner, but for ids (those of the log are moments), moments and
    names."""
    slug = venue.database.one(
        "select slug from public.organizations where id = %s", venue.organization_id
    )
    ids = [venue.organization_id, venue.owner.id]
    read = Original.read(venue.database.admin, ids, [venue.slug, slug])
    rows = {into: "*".join(text[::2]).splitlines() for into, text in read.copies.items()}
    for into, lines in rows.items():
        if b'"audit_log' in into:
            rows[into] = [re.sub(r"^\*\t\d+\t", "*\t*\t", line) for line in lines]
    return read.inserts[::2], {into: sorted(lines) for into, lines in rows.items()}


def test_a_copied_venue_has_every_row_that_a_made_one_has(money: Database) -> None:
    make_venue(money)
    copied, made = make_venue(money), new_venue(money)
    assert copied.organization_id != make_venue(money).organization_id
    assert without_its_own(copied) == without_its_own(made)
    assert money.one("select count(*) from public.audit_log where occurred_at > now()") == 0
    assert copied.pay(copied.hold())["payment_status"] == "paid"
