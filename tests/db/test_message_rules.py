"""Which messages go out around a visit: what a rule may say, and since when it counts."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

import pytest

from client import Refused
from db.booking_world import Row, Shop, change, open_shop
from matrix.house import House

REVIEWS = "https://search.google.com/local/writereview?placeid=ChIJ_x-9"


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


def rules(shop: Shop) -> list[Row]:
    return shop.venue.owner.select("select * from public.message_rules order by id")


def rule_of(shop: Shop, kind: str) -> Row:
    [found] = [rule for rule in rules(shop) if rule["kind"] == kind]
    return found


def set_rule(shop: Shop, rule: Row, **values: object) -> None:
    assert change(shop.venue.owner, "message_rules", values, id=rule["id"]) == 1


def test_an_organization_begins_with_a_reminder_thanks_and_a_request_to_pay(shop: Shop) -> None:
    assert {
        r["kind"]: (r["counted_from"], r["minutes"], r["days"], r["at_time"]) for r in rules(shop)
    } == {
        "reminder": ("start", None, 1, time(18)),
        "thanks": ("end", 120, None, None),
        "payment_request": ("start", 4320, None, None),
    }
    assert len(rules(shop)) == 3
    assert all(r["is_active"] and r["all_rooms"] and r["locales"] is None for r in rules(shop))


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"kind": "reminder"}, "time_is_minutes_or_a_clock"),
        ({"kind": "reminder", "minutes": 5, "days": 1, "at_time": "18:00"}, "time_is_minutes"),
        ({"kind": "reminder", "days": 1}, "time_is_minutes_or_a_clock"),
        ({"kind": "reminder", "minutes": 5, "at_time": "18:00"}, "time_is_minutes_or_a_clock"),
        ({"kind": "reminder", "minutes": -1}, "minutes_are_at_most_60_days"),
        ({"kind": "reminder", "minutes": 86401}, "minutes_are_at_most_60_days"),
        ({"kind": "reminder", "days": 61, "at_time": "18:00"}, "days_are_at_most_60"),
        ({"kind": "reminder", "days": 1, "at_time": "24:00"}, "time_is_of_a_day"),
        ({"kind": "thanks", "days": 0, "at_time": "18:00"}, "days_after_the_end"),
        ({"kind": "newsletter", "minutes": 5}, "kind_is_known"),
        ({"kind": "reminder", "minutes": 5, "locales": []}, "locales_are_supported"),
        ({"kind": "reminder", "minutes": 5, "locales": ["es", "xx"]}, "locales_are_supported"),
        ({"kind": "reminder", "minutes": 5, "locales": ["es", "es"]}, "locales_are_supported"),
        ({"kind": "reminder", "minutes": 5, "locales": ["es", None]}, "locales_are_supported"),
        ({"kind": "reminder", "minutes": 5, "review_url": REVIEWS}, "review_url_is_for_reviews"),
        ({"kind": "review_request", "minutes": 5}, "review_url_is_for_reviews"),
        *(
            ({"kind": "review_request", "minutes": 5, "review_url": url}, "review_url_is_https")
            for url in (
                "http://g.page/r/x/review",
                "https://g.page/r x",
                "https://user@g.page/r",
                "https://g.page/r#top",
                'https://g.page/"onclick',
                "javascript:alert(1)",
                "https://localhost/r",
                "https://g.page/" + "r" * 500,
                "",
            )
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    shop: Shop, values: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(Refused, match=f"message_rules_.*{constraint}"):
        shop.insert("message_rules", **values)


def test_a_review_request_names_the_page_for_reviews(shop: Shop) -> None:
    made = shop.insert(
        "message_rules", kind="review_request", days=1, at_time="12:00", review_url=REVIEWS
    )
    assert (made["counted_from"], made["review_url"]) == ("end", REVIEWS)


def test_nobody_has_more_than_40_rules(shop: Shop) -> None:
    for minutes in range(37):
        shop.insert("message_rules", kind="reminder", minutes=minutes)
    with pytest.raises(Refused, match="too_many_rows"):
        shop.insert("message_rules", kind="reminder", minutes=99)


def old(shop: Shop, rule: Row) -> datetime:
    """As if the rule had been as it is for a week."""
    moment = shop.house.one("select now() - interval '7 days'")
    shop.house.connection.execute("set local session_replication_role = replica")
    shop.house.connection.execute(
        "update public.message_rules set counts_from = %s where id = %s", [moment, rule["id"]]
    )
    shop.house.connection.execute("set local session_replication_role = origin")
    assert isinstance(moment, datetime)
    return moment


@pytest.mark.parametrize(
    "values",
    [
        {"minutes": 60, "days": None, "at_time": None},
        {"days": 2},
        {"at_time": "18:01"},
        {"all_rooms": False},
        {"locales": ["ca"]},
    ],
)
def test_a_rule_that_changes_counts_from_then_on(shop: Shop, values: dict[str, Any]) -> None:
    rule = rule_of(shop, "reminder")
    before = old(shop, rule)
    set_rule(shop, rule, **values)
    assert rule_of(shop, "reminder")["counts_from"] > before


def test_a_rule_that_is_switched_on_counts_from_then_on_and_one_left_as_it_is_as_before(
    shop: Shop,
) -> None:
    rule = rule_of(shop, "reminder")
    before = old(shop, rule)
    set_rule(shop, rule, is_active=True)
    set_rule(shop, rule, is_active=False, days=1)
    assert rule_of(shop, "reminder")["counts_from"] == before
    set_rule(shop, rule, is_active=True)
    assert rule_of(shop, "reminder")["counts_from"] > before


def test_clients_do_not_say_since_when_a_rule_counts_nor_change_its_kind(shop: Shop) -> None:
    rule = rule_of(shop, "reminder")
    for values in ({"counts_from": "2020-01-01"}, {"kind": "thanks"}):
        with pytest.raises(Refused, match="permission denied"):
            set_rule(shop, rule, **values)


def test_a_rule_is_for_rooms_of_its_own_organization_only(shop: Shop, house: House) -> None:
    other = open_shop(house, "Other")
    rule = rule_of(shop, "reminder")
    with pytest.raises(Refused, match="message_rule_rooms_room_fkey"):
        shop.insert("message_rule_rooms", rule_id=rule["id"], room_id=other.add_room())
    with pytest.raises(Refused, match="message_rule_rooms_rule_fkey"):
        other.insert("message_rule_rooms", rule_id=rule["id"], room_id=other.add_room())
