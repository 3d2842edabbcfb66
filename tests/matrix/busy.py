"""The matrix's world with more going on in its first venue, for the twins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from client import Caller, Client, Connection
from db.booking_world import Row, change, insert
from matrix.house import House
from matrix.world import NORTH, load

#: Where somebody holds a place from; a calendar lets each hold two.
ADDRESS, GREEDY_ADDRESS = "203.0.113.7", "203.0.113.8"
_ADDRESSES = {"hall": ADDRESS, "crowd": GREEDY_ADDRESS, "couple": GREEDY_ADDRESS}


def furnish(connection: Connection) -> None:
    """Add to a world: games that strangers share, with a hold that lapsed and with somebody who
    waits; a price that staff set, and a change; a limit and a stock that are nearly used up;
    customers who were merged. The connection is the superuser's, in autocommit."""
    with connection.transaction():
        venue = _Venue(House(connection), dict(load(connection)[NORTH]))
        venue.games()
        venue.a_price()
        venue.merged_customers()


@dataclass(frozen=True, slots=True)
class _Venue:
    house: House
    facts: dict[str, str]

    @property
    def owner(self) -> Client:
        owner = Caller.person(self.facts["owner"])
        return Client(self.house.connection, owner, self.facts["organization"])

    @property
    def mine(self) -> Row:
        return {"organization_id": self.facts["organization"]}

    def keep(self, **facts: object) -> None:
        for name, value in facts.items():
            self.facts[name] = str(value)
            self.house.connection.execute(
                "insert into matrix.facts values (%s, %s, %s)", [NORTH, name, str(value)]
            )

    def keep_booking(self, name: str, booked: Row) -> None:
        found = self.house.one(
            "select id from public.bookings where organization_id = %s and reference = %s",
            self.facts["organization"],
            booked["reference"],
        )
        self.keep(
            **{
                f"{name}_booking": found,
                f"{name}_reference": booked["reference"],
                f"{name}_manage_token": booked["manage_token"],
            }
        )

    def games(self) -> None:
        owner = self.owner
        hall = insert(
            owner,
            "rooms",
            location_id=self.facts["location"],
            slug="hall",
            name="Hall",
            mode="shared",
            minimum_party=1,
            capacity_limit=10,
            price_cents=1000,
            is_published=True,
        )["id"]
        insert(owner, "calendar_rooms", calendar_id=self.facts["calendar"], room_id=hall)
        for weekday in range(1, 8):
            hours = {"weekday": weekday, "opens_at": "10:00", "closes_at": "22:00"}
            insert(owner, "schedules", room_id=hall, **hours)
        photo = insert(
            owner,
            "extras",
            names=Jsonb({"en": "Print"}),
            price_cents=100,
            stock_per_session=4,
            maximum_quantity=2,
        )["id"]
        limits = {"kind": "fixed", "value": 100, "maximum_uses": 2}
        owner.call("create_coupon", **self.mine, code="LIMITED", **limits)
        slots: list[datetime] = [
            row["starts_at"]
            for row in self.house.nobody.select(
                "select starts_at from public.get_availability("
                "%s, current_date + 6, current_date + 8, room_id => %s) order by starts_at",
                self.facts["calendar_slug"],
                hall,
            )
        ]
        self.keep(hall=hall, photo=photo, hall_slot=slots[0].isoformat())
        change(owner, "calendars", {"holds_per_address": 2}, id=self.facts["calendar"])

        taken = {"extras": Jsonb([{"extra_id": str(photo), "quantity": 1}])}
        self.join("hall", slots[0], 2, coupon_code="LIMITED", **taken)
        self.join("lapsed", slots[0], 1, **taken)
        self.join("elsewhere", slots[3], 1, coupon_code="LIMITED", **taken)
        for name in ("lapsed", "elsewhere"):
            self.house.owner_sql(
                "update public.bookings set hold_expires_at = now()"
                " where organization_id = %s and id = %s",
                self.facts["organization"],
                self.facts[f"{name}_booking"],
            )

        # A game that is full, the only one of its day.
        full = slots[-1]
        day = full.replace(hour=0, minute=0)
        for first, last in (
            (day - timedelta(hours=3), full),
            (full + timedelta(minutes=90), day + timedelta(hours=26)),
        ):
            owner.call("block_room", **self.mine, room_id=hall, starts_at=first, ends_at=last)
        for name in ("crowd", "couple", "pair"):
            self.join(name, full, 2)
        for name in ("Lee", "Kim"):
            entry = self.house.nobody.call(
                "join_waitlist",
                slug=self.facts["calendar_slug"],
                room_id=hall,
                from_date=full.date(),
                to_date=full.date(),
                party_size=2,
                customer={"full_name": name, "email": f"{name.lower()}@example.test"},
                idempotency_key=name,
            )
            self.keep(**{f"{name.lower()}_waitlist_token": entry["waitlist_token"]})
        # One of them is offered a place.
        link = {name: self.facts[f"pair_{name}"] for name in ("reference", "manage_token")}
        replace(self.house.nobody, finishes=True).call("cancel_booking", **link)
        entry = self.house.nobody.call("get_waitlist_entry", token=self.facts["lee_waitlist_token"])
        self.keep_booking("offered", entry["offer"])

    def join(self, name: str, starts_at: datetime, party_size: int, **options: object) -> None:
        wanted = {
            "slug": self.facts["calendar_slug"],
            "room_id": self.facts["hall"],
            "starts_at": starts_at,
            "party_size": party_size,
            **options,
        }
        visitor = self.house.nobody.sending(x_forwarded_for=_ADDRESSES.get(name, "192.0.2.1"))
        booked = visitor.call(
            "hold_booking",
            **wanted,
            customer={"full_name": name.title(), "email": f"{name}@example.test"},
            expected_total_cents=visitor.call("quote_booking", **wanted)["total_cents"],
            idempotency_key=name,
        )
        self.keep_booking(name, booked)

    def a_price(self) -> None:
        owner, free = self.owner, datetime.fromisoformat(self.facts["free_slot"])
        booked = owner.call(
            "create_booking",
            **self.mine,
            room_id=self.facts["room"],
            starts_at=free - timedelta(days=1),
            party_size=2,
            customer={"full_name": "Set", "email": "set@example.test"},
            idempotency_key="set",
            price_cents=1234,
            override_reason="The projector is broken",
        )
        self.keep_booking("set", booked)
        owner.call(
            "record_payment",
            **self.mine,
            booking_id=self.facts["set_booking"],
            method="cash",
            amount_cents=1234,
            idempotency_key="set",
        )
        owner.call(
            "change_booking",
            **self.mine,
            booking_id=self.facts["set_booking"],
            idempotency_key="set",
            starts_at=free + timedelta(days=1),
        )

    def merged_customers(self) -> None:
        owner = self.owner
        for kept, merged in (("gus", "hana"), ("jo", "ivy")):
            for name in (kept, merged):
                customer = insert(
                    owner,
                    "customers",
                    email=f"{name}.before@example.test",
                    full_name=name.title(),
                    locale="es",
                )
                self.keep(**{name: customer["id"]})
                insert(owner, "customer_tags", customer_id=customer["id"], tag=f"of {name}")
            email = {"email": f"{merged}@example.test"}
            change(owner, "customers", email, id=self.facts[merged])
            owner.call(
                "merge_customers",
                **self.mine,
                keep_id=self.facts[kept],
                merge_id=self.facts[merged],
            )
