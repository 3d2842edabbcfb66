"""A venue as its people set it up: organization, staff, rooms, hours, calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg.types.json import Jsonb

from escapemaster_dev.seed.clients import Account, Client, Connection, as_owner
from escapemaster_dev.seed.venues import RoleKey, Venue

#: A room that says nothing of itself but its price.
_UNTOLD: Mapping[str, object] = {
    "names": {},
    "theme": None,
    "color": None,
    "minimum_age": None,
    "minimum_age_accompanied": None,
    "fear": None,
    "physical_level": None,
    "languages": [],
    "is_accessible": False,
    "has_actors": False,
    "tags": [],
}


@dataclass(frozen=True, slots=True)
class OpenVenue:
    """A venue that is set up, with a client for each member of its staff."""

    venue: Venue
    organization_id: str
    staff: Mapping[RoleKey, Client]
    user_ids: Mapping[RoleKey, str]
    rooms: Mapping[str, str]
    """Ids by slug."""
    extras: Sequence[str]
    """Ids, in the venue's order."""


def set_up(
    connection: Connection, venue: Venue, accounts: Mapping[str, Account], today: date
) -> OpenVenue:
    """Make the venue as its owner, staff and manager would; `accounts` by e-mail address."""
    user_ids: dict[RoleKey, str] = {
        person.role: accounts[person.email].user_id for person in venue.staff
    }
    founder = Client(connection, user_ids["owner"])
    organization_id = str(
        founder.call(
            "create_organization",
            name=venue.name,
            slug=venue.slug,
            timezone=venue.timezone,
            currency=venue.currency,
            locale=venue.locale,
        )["id"]
    )
    # As the platform's operator would (`platform_grant_plan`): the demo has none.
    as_owner(connection).execute(
        """
        insert into public.subscriptions (organization_id, granted_plan_key, granted_until)
        values (%s, 'pro', now() + interval '1 year')
        """,
        (organization_id,),
    )
    staff: dict[RoleKey, Client] = {
        role: Client(connection, user_id, organization_id) for role, user_id in user_ids.items()
    }
    _hire(organization_id, staff, user_ids)
    _introduce(organization_id, founder, venue.business)
    rooms = _open(venue, organization_id, staff["manager"], today)
    extras = _price(venue, organization_id, staff["manager"], rooms)
    # Beside the rules that every organization begins with.
    staff["manager"].insert(
        "message_rules",
        [
            {
                "kind": "review_request",
                "days": 1,
                "at_time": "12:00",
                "review_url": f"https://reviews.example.test/{venue.slug}",
            }
        ],
    )
    return OpenVenue(venue, organization_id, staff, user_ids, rooms, extras)


def ask_for_waivers(opened: OpenVenue) -> None:
    """From now on nobody plays in one of the rooms who has not signed."""
    manager = opened.staff["manager"]
    room_id = opened.rooms[opened.venue.waiver_room]
    manager.call(
        "publish_waiver",
        organization_id=opened.organization_id,
        texts=opened.venue.waiver,
        room_id=room_id,
    )
    manager.rows(
        "update public.rooms set waiver_policy = 'required' where id = %(room_id)s returning id",
        {"room_id": room_id},
    )


def picture_file(scene: str) -> str:
    """The name of the picture of a scene, in its venue's folder."""
    return f"{scene}.png"


def _hire(
    organization_id: str, staff: Mapping[RoleKey, Client], user_ids: Mapping[RoleKey, str]
) -> None:
    """Everybody joins with the code on the wall; the owner then gives each their role."""
    owner = staff["owner"]
    roles = {row["key"]: row["id"] for row in owner.rows("select key, id from public.roles")}
    code = owner.call("rotate_join_code", organization_id=organization_id)["code"]
    for role, client in staff.items():
        if role != "owner":
            client.call("join_organization", code=code)
    owner.call_each(
        "set_member_role",
        [
            {
                "organization_id": organization_id,
                "user_id": user_ids[role],
                "role_id": roles[role],
            }
            for role in staff
            if role not in ("owner", "game_master")
        ],
    )
    owner.call("disable_join_code", organization_id=organization_id)


def _introduce(organization_id: str, owner: Client, business: Mapping[str, object]) -> None:
    """The owner says what the organization is, and how it is reached."""
    owner.rows(
        "update public.organizations set legal_name = %(legal_name)s, tax_id = %(tax_id)s,"
        " website = %(website)s, contact_email = %(contact_email)s, phone = %(phone)s,"
        " descriptions = %(descriptions)s, business_type = 'escape_room'"
        " where id = %(id)s returning id",
        {
            **business,
            "descriptions": Jsonb(business["descriptions"]),
            "id": organization_id,
        },
    )


def _open(venue: Venue, organization_id: str, manager: Client, today: date) -> dict[str, str]:
    """Location, rooms, hours, terms and calendar; the rooms' ids by slug."""
    (location_id,) = manager.insert(
        "locations",
        [
            {
                "name": venue.name,
                "timezone": venue.timezone,
                "address": venue.address,
                "city": venue.city,
                "postal_code": venue.postal_code,
                "country": venue.country,
                **venue.place,
            }
        ],
    )
    room_ids = manager.insert(
        "rooms",
        [
            {
                "location_id": location_id,
                "slug": room.slug,
                "name": room.name,
                "description": room.description,
                "mode": room.mode,
                "minimum_party": room.party[0],
                "maximum_party": room.party[1],
                "duration_minutes": room.duration_minutes,
                "turnaround_minutes": 30,
                "price_per": room.price_per,
                "price_cents": room.price_cents,
                "tax_rate_bp": venue.tax_rate_bp,
                "exclusive_price_cents": (
                    venue.exclusive[1] if room.slug == venue.exclusive[0] else None
                ),
                "deposit_kind": room.deposit[0],
                "deposit_value": room.deposit[1],
                "difficulty": room.difficulty,
                "is_published": room.is_published,
                **_UNTOLD,
                **room.told,
            }
            for room in venue.rooms
        ],
    )
    rooms = dict(zip((room.slug for room in venue.rooms), room_ids, strict=True))
    manager.insert(
        "room_images",
        [
            {
                "room_id": rooms[room.slug],
                "position": position,
                "path": f"{organization_id}/rooms/{picture_file(picture.scene)}",
                "alt": picture.alt,
            }
            for room in venue.rooms
            for position, picture in enumerate(room.pictures)
        ],
    )
    on_sale = [rooms[room.slug] for room in venue.rooms if room.is_published]
    manager.insert(
        "schedules",
        [
            {
                "room_id": room_id,
                "weekday": weekday,
                "opens_at": window.opens,
                "closes_at": window.closes,
            }
            for room_id in on_sale
            for window in venue.windows
            for weekday in window.weekdays
        ],
    )
    manager.insert(
        "schedule_exceptions",
        [
            {
                "location_id": location_id,
                "date": today + timedelta(days=closure.in_days),
                "is_closed": True,
                "reason": closure.reason,
            }
            for closure in venue.closures
        ],
    )
    manager.insert(
        "room_cancellation_tiers",
        [
            {"room_id": room_id, "hours_before": hours, "refund_percent": percent}
            for room_id in on_sale
            for hours, percent in venue.cancellation
        ],
    )
    (calendar_id,) = manager.insert(
        "calendars",
        [
            {
                "slug": venue.slug,
                "name": venue.name,
                "minimum_notice_minutes": 60,
                "maximum_advance_days": 60,
                "hold_minutes": 15,
                "locales": list(venue.locales),
                "flow": venue.look.flow,
                "accent_color": venue.look.accent_color,
                "terms": venue.terms,
                "waitlist_minutes": venue.waitlist_minutes,
            }
        ],
    )
    manager.insert(
        "calendar_fields",
        [
            {
                "calendar_id": calendar_id,
                "position": position,
                "key": question.key,
                "kind": question.kind,
                "label": question.label,
                "help": question.help,
                "required": question.required,
                "options": question.options
                and Jsonb(
                    [{"value": value, "label": label} for value, label in question.options.items()]
                ),
            }
            for position, question in enumerate(venue.questions)
        ],
    )
    manager.insert(
        "calendar_rooms",
        [
            {"calendar_id": calendar_id, "room_id": room_id, "position": position}
            for position, room_id in enumerate(on_sale)
        ],
    )
    return rooms


def _price(
    venue: Venue, organization_id: str, manager: Client, rooms: Mapping[str, str]
) -> list[str]:
    """Tiers, rules, extras, a coupon, gift vouchers that are sold and one; the extras' ids."""
    manager.insert(
        "price_tiers",
        [
            {
                "room_id": rooms[tier.room],
                "minimum_party": tier.minimum_party,
                "price_cents": tier.price_cents,
            }
            for tier in venue.tiers
        ],
    )
    manager.insert(
        "price_rules",
        [
            {
                "name": rule.name,
                "weekdays": list(rule.weekdays),
                "from_time": rule.from_time,
                "kind": rule.kind,
                "value": rule.value,
                "priority": rule.priority,
            }
            for rule in venue.rules
        ],
    )
    extras = manager.insert(
        "extras",
        [
            {
                "names": extra.names,
                "descriptions": extra.descriptions,
                "price_per": extra.price_per,
                "price_cents": extra.price_cents,
                "tax_rate_bp": venue.tax_rate_bp,
                "maximum_quantity": extra.maximum_quantity,
                "stock_per_session": extra.stock_per_session,
                "position": position,
            }
            for position, extra in enumerate(venue.extras)
        ],
    )
    manager.call(
        "create_coupon",
        organization_id=organization_id,
        code=venue.coupon.code,
        kind=venue.coupon.kind,
        value=venue.coupon.value,
        description=venue.coupon.description,
        maximum_uses=venue.coupon.maximum_uses,
    )
    manager.call(
        "issue_voucher",
        organization_id=organization_id,
        amount_cents=venue.voucher_cents,
        idempotency_key="demo",
        recipient_name=venue.guests[0],
    )
    manager.call(
        "set_voucher_sales",
        organization_id=organization_id,
        is_sold=True,
        minimum_cents=1000,
        maximum_cents=30000,
    )
    manager.insert(
        "voucher_products",
        [
            {"names": gift.names, "descriptions": gift.descriptions, "amount_cents": gift.cents}
            for gift in venue.gifts
        ],
    )
    return extras
