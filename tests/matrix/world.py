"""Four venues with a row in every table, and the people of the matrix around them.

Rows are made with the product's own functions where there are any; what has none (a table that
only a worker fills, a table that was added yesterday) is filled from the catalogue. What tests
need to name is kept as facts, in a schema that is not the product's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from client import Client, Connection
from matrix.expectations import expectations, with_facts
from matrix.house import House, Venue, email_of

NORTH, SOUTH, FROZEN, CLOSED = TENANTS = ("north", "south", "frozen", "closed")
#: Facts that belong to no tenant.
EVERYWHERE = ""

Facts = Mapping[str, Mapping[str, str]]

_KEEP = """
create schema matrix;
grant usage on schema matrix to public;
create table matrix.facts (
  tenant text not null,
  name text not null,
  value text not null,
  primary key (tenant, name)
);
"""


def build(connection: Connection) -> None:
    """Fill an empty database of ours. The connection is the superuser's, in autocommit."""
    connection.execute(_KEEP.encode())
    builder = _Builder(House(connection))
    with connection.transaction():
        builder.build()


def load(connection: Connection) -> Facts:
    """The facts of a world that is there."""
    facts: dict[str, dict[str, str]] = {}
    for tenant, name, value in connection.execute("select tenant, name, value from matrix.facts"):
        facts.setdefault(tenant, {})[name] = value
    return facts


def added(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts for a sample that is inserted."""
    return {**facts, "n": "1"}


def kept(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts for the sample that is there to be deleted."""
    return {
        **facts,
        "n": "2",
        "spare_room": facts["kept_room"],
        "spare_notice_rule": facts["kept_notice_rule"],
    }


@dataclass(slots=True)
class _Builder:
    house: House

    def build(self) -> None:
        operator = self.house.sign_up("operator")
        self.house.admit_platform_admin(operator)
        venues = {tenant: self._venue(tenant, operator) for tenant in TENANTS}
        self._cast(venues[NORTH], operator)
        for tenant, venue in venues.items():
            code = venue.owner.call("get_join_code", organization_id=venue.id)["code"]
            _Keeper(self.house, tenant)(join_code=code)
            self._notices(venue)
            self._fill_the_rest(tenant, venue)
            self._keep_samples(tenant)
        operator.call(
            "platform_suspend_organization", organization_id=venues[FROZEN].id, reason="matrix"
        )
        closed = venues[CLOSED]
        closed.owner.call("close_organization", organization_id=closed.id, confirm_slug=closed.slug)

    def _venue(self, tenant: str, operator: Client) -> Venue:
        """A venue that has been used for everything there is."""
        venue = self.house.open_venue(tenant, self.house.sign_up(f"{tenant}_owner"))
        keep = _Keeper(self.house, tenant)
        owner, mine = venue.owner, {"organization_id": venue.id}
        keep(organization=venue.id, slug=venue.slug, owner=owner.id)

        empty = venue.make_role("Empty", [])
        keep(empty_role=empty, other_empty_role=venue.make_role("Hollow", []))
        keep(plain_member=venue.hire(f"{tenant}_plain", empty).id)
        keep(spare_member=venue.hire(f"{tenant}_spare", "game_master").id)
        barred = venue.hire(f"{tenant}_barred", empty)
        owner.call("suspend_member", **mine, user_id=barred.id)
        barred.call("leave_organization", **mine)
        bar = self.house.one(
            "select id from public.member_bars where organization_id = %s", venue.id
        )
        keep(barred=barred.id, bar=bar)
        owner.call("rotate_join_code", **mine)
        invitation, token = venue.invite(email_of(f"{tenant}_guest"), empty)
        keep(invitation=invitation, invitation_token=token)
        key = owner.call("create_api_key", **mine, name="Key", permissions=["rooms:read"])
        keep(api_key=key["id"], api_key_secret=key["secret"])
        keep(export=owner.call("export_organization", **mine)["id"])
        feed = owner.call("create_calendar_feed", **mine, name="Feed")
        keep(feed=feed["id"], feed_token=feed["token"])
        entry = operator.call("platform_enter_organization", **mine, reason="To see the matrix")
        keep(support_entry=entry["id"])
        if tenant != NORTH:
            operator.call("end_support_entry", **mine, support_entry_id=entry["id"])
        endpoint = owner.call(
            "create_webhook_endpoint",
            **mine,
            name="Accounts",
            url="https://hooks.example/",
            events=["booking.held", "booking.confirmed"],
            includes_personal_data=True,
        )
        keep(webhook_endpoint=endpoint["id"])
        self._catalogue(venue, keep)
        self._bookings(venue, keep)
        self._webhooks(venue, keep)
        self._waitlist(venue, keep)
        self._people(venue, keep)
        self._staffing(venue, keep)
        self._games(venue, keep)
        for bucket in expectations().buckets:
            self.house.owner_sql(
                "insert into storage.objects (bucket_id, name) values (%s, %s)",
                bucket,
                f"{venue.id}/rooms/{tenant}.png",
            )
        return venue

    def _catalogue(self, venue: Venue, keep: _Keeper) -> None:
        owner = venue.owner

        def add(table: str, **values: object) -> str:
            columns = ", ".join(values)
            marks = ", ".join("%s" for _ in values)
            (row,) = owner.select(
                f"insert into public.{table} ({columns}) values ({marks}) returning id::text",
                *values.values(),
            )
            return str(row["id"])

        def add_link(table: str, **values: object) -> None:
            columns = ", ".join(values)
            marks = ", ".join("%s" for _ in values)
            owner.change(
                f"insert into public.{table} ({columns}) values ({marks})", *values.values()
            )

        location = add("locations", name="Sótano", timezone="Europe/Madrid")
        room, spare, kept = (
            add(
                "rooms",
                location_id=location,
                slug=slug,
                name=slug.title(),
                price_cents=2000,
                is_published=True,
            )
            for slug in ("prison", "spare", "kept")
        )
        keep(location=location, room=room, spare_room=spare, kept_room=kept)
        for weekday in range(1, 8):
            add("schedules", room_id=room, weekday=weekday, opens_at="10:00", closes_at="22:00")
        add("schedule_exceptions", room_id=room, date="2001-02-03", is_closed=True)
        add("room_cancellation_tiers", room_id=room, hours_before=1, refund_percent=100)
        add("room_images", room_id=room, path=f"{venue.id}/rooms/prison.png")
        calendar_slug = f"{venue.slug}-calendar"
        calendar = add(
            "calendars",
            slug=calendar_slug,
            name="Calendar",
            hold_minutes=120,
            waitlist_minutes=60,
        )
        keep(calendar=calendar, calendar_slug=calendar_slug)
        add_link("calendar_rooms", calendar_id=calendar, room_id=room)
        add("price_tiers", room_id=room, minimum_party=6, price_cents=1900)
        add("price_rules", room_id=room, name="Nights", kind="percent", value=10, from_time="23:00")
        extra = add("extras", names=Jsonb({"en": "Photo"}), price_cents=500, all_rooms=False)
        add_link("extra_rooms", extra_id=extra, room_id=room)
        group = add("start_groups", name="Lobby", minutes=5)
        add_link("start_group_rooms", group_id=group, room_id=room)
        keep(start_group=group)
        rule = add("message_rules", kind="reminder", minutes=90, all_rooms=False)
        add_link("message_rule_rooms", rule_id=rule, room_id=room)
        keep(message_rule=rule)
        rooms = add("notice_rules", kinds=["booking_new"], all_rooms=False)
        add_link("notice_rule_rooms", rule_id=rooms, room_id=room)
        address = owner.call(
            "add_notice_address",
            organization_id=venue.id,
            email=f"{venue.slug}@example.test",
            locale="es",
        )["id"]
        add_link("notice_rule_addresses", rule_id=rooms, address_id=address)
        add_link("notice_rule_members", rule_id=rooms, user_id=owner.id)
        keep(
            notice_rule=rooms,
            spare_notice_rule=add("notice_rules", kinds=["booking_cancelled"]),
            kept_notice_rule=add("notice_rules", kinds=["booking_cancelled"]),
            notice_address=address,
        )
        mine = {"organization_id": venue.id}
        coupon = owner.call(
            "create_coupon", **mine, code="MATRIX", kind="fixed", value=100, room_ids=[UUID(room)]
        )
        voucher = owner.call("issue_voucher", **mine, amount_cents=5000, idempotency_key="world")
        owner.call(
            "set_voucher_sales", **mine, is_sold=True, minimum_cents=1000, maximum_cents=50000
        )
        product = add("voucher_products", names='{"en": "Escape for 4"}', amount_cents=4000)
        bought = self._voucher_order(venue, self.house.nobody, product)
        keep(
            voucher_product=product,
            voucher_order=bought["order_id"],
            voucher_order_token=bought["order_token"],
            bought_voucher=self.house.one(
                "select voucher_id from public.voucher_orders where id = %s", bought["order_id"]
            ),
            extra=extra,
            coupon=coupon["id"],
            coupon_code=coupon["code"],
            voucher=voucher["id"],
            voucher_code=voucher["code"],
        )
        add(
            "calendar_blocked_dates",
            calendar_id=calendar,
            from_date="2001-01-01",
            to_date="2001-01-02",
        )
        add("calendar_fields", calendar_id=calendar, key="team", label='{"en": "Team"}')
        block = owner.call(
            "block_room",
            organization_id=venue.id,
            room_id=spare,
            starts_at="2100-01-01T10:00Z",
            ends_at="2100-01-01T12:00Z",
        )
        keep(block=block["session_id"])

    def _voucher_order(self, venue: Venue, nobody: Client, product: str) -> dict[str, Any]:
        """A voucher that was bought online, of which a part was refunded and disputed in vain."""
        slug = self.house.one(
            "select slug from public.calendars where organization_id = %s order by id limit 1",
            venue.id,
        )
        bought: dict[str, Any] = nobody.call(
            "order_voucher",
            slug=slug,
            idempotency_key="world",
            buyer_name="Joan",
            buyer_email=email_of("joan"),
            product_id=product,
            message="Have fun",
        )
        self.house.owner_sql(
            "update public.voucher_orders set opened_at = now(), session_id = 'cs_' || id"
            " where id = %s",
            bought["order_id"],
        )
        self.house.owner_sql(
            "select private.fulfil_voucher_order(o, o.amount_cents, 'pi_' || o.id, now())"
            " from public.voucher_orders as o where o.id = %s",
            bought["order_id"],
        )
        for table, columns in {
            "voucher_refunds": "reason, status, provider_refund_id",
            "voucher_disputes": "reason, status, provider_dispute_id, as_of",
        }.items():
            values = {
                "voucher_refunds": "'provider', 'failed', 're_' || id",
                "voucher_disputes": "'general', 'won', 'du_' || id, now()",
            }[table]
            self.house.owner_sql(
                f"insert into public.{table} (organization_id, order_id, amount_cents, currency,"
                f" {columns}) select organization_id, id, 100, currency, {values}"
                " from public.voucher_orders where id = %s",
                bought["order_id"],
            )
        return bought

    def _bookings(self, venue: Venue, keep: _Keeper) -> None:
        """A confirmed one, one that waits for its money, and one that got it back."""
        nobody = self.house.nobody
        facts = load(self.house.connection)[keep.tenant]
        slots = nobody.select(
            "select * from public.get_availability(%s, current_date + 2, current_date + 5)",
            facts["calendar_slug"],
        )

        def hold(slot: dict[str, Any], name: str, **options: object) -> dict[str, Any]:
            total = nobody.call(
                "quote_booking",
                slug=facts["calendar_slug"],
                room_id=facts["room"],
                starts_at=slot["starts_at"],
                party_size=2,
                **options,
            )["total_cents"]
            held: dict[str, Any] = nobody.call(
                "hold_booking",
                slug=facts["calendar_slug"],
                room_id=facts["room"],
                starts_at=slot["starts_at"],
                party_size=2,
                customer={"full_name": name.title(), "email": email_of(name)},
                expected_total_cents=total,
                idempotency_key=name,
                **options,
            )
            held["id"] = str(
                self.house.one(
                    "select id from public.bookings where organization_id = %s and reference = %s",
                    venue.id,
                    held["reference"],
                )
            )
            return held

        def pay(booking: dict[str, Any]) -> None:
            venue.owner.call(
                "record_payment",
                organization_id=venue.id,
                booking_id=booking["id"],
                method="cash",
                amount_cents=booking["total_cents"],
                idempotency_key=booking["reference"],
            )

        confirmed, open_, returned, given = (
            hold(slot, name, **options)
            for slot, (name, options) in zip(
                slots,
                {
                    "ada": {},
                    "bob": {},
                    "cleo": {},
                    "dora": {
                        "extras": Jsonb([{"extra_id": facts["extra"], "quantity": 1}]),
                        "coupon_code": facts["coupon_code"],
                        "voucher_code": facts["voucher_code"],
                    },
                }.items(),
                strict=False,
            )
        )
        assert given["status"] == "confirmed"
        pay(confirmed)
        pay(returned)
        nobody.call(
            "cancel_booking",
            reference=returned["reference"],
            manage_token=returned["manage_token"],
        )
        (handed_over,) = venue.owner.call("get_pending_refunds", organization_id=venue.id)
        venue.owner.call(
            "record_refund",
            organization_id=venue.id,
            refund_request_id=handed_over["refund_request_id"],
            idempotency_key="handed over",
        )
        self.house.owner_sql(
            "insert into public.disputes (organization_id, booking_id, payment_id,"
            " provider_dispute_id, status, reason, amount_cents, currency, as_of)"
            " select organization_id, booking_id, id, 'du_' || organization_id, 'needs_response',"
            " 'general', amount_cents, currency, now() from public.payments"
            " where organization_id = %s limit 1",
            venue.id,
        )
        promised = venue.owner.call(
            "refund_booking",
            organization_id=venue.id,
            booking_id=confirmed["id"],
            amount_cents=100,
            reason="The fog machine was broken",
            idempotency_key="promised",
        )["refunds"]
        venue.owner.change("update public.organizations set split_hold_hours = 24")
        split = nobody.call(
            "split_booking",
            reference=open_["reference"],
            manage_token=open_["manage_token"],
            shares=Jsonb([{"name": "Bea", "email": email_of("bea")}]),
            method="equal",
            idempotency_key="split",
        )
        (share,) = split["shares"]
        self.house.owner_sql(
            "update public.payment_shares set created_at = now() - interval '2 hours'"
            " where id = %s",
            share["share_id"],
        )
        # A party that is about to come: only such a one can be checked in.
        arriving = venue.owner.call(
            "create_booking",
            organization_id=venue.id,
            room_id=facts["room"],
            starts_at=self.house.one("select now() + interval '1 hour'"),
            party_size=2,
            customer={"full_name": "Ada", "email": email_of("ada")},
            idempotency_key="arriving",
        )
        venue.owner.call(
            "transition_booking",
            organization_id=venue.id,
            booking_id=arriving["id"],
            to_status="confirmed",
        )
        counted = {"organization_id": venue.id, "cash_day_id": self._open_cash_day(venue, facts)}
        part = venue.owner.call(
            "record_payment",
            organization_id=venue.id,
            booking_id=arriving["id"],
            method="cash",
            amount_cents=100,
            idempotency_key="a part",
        )
        venue.owner.call("close_cash_day", **counted, cash_cents=90)
        ordered = venue.owner.call(
            "create_order",
            organization_id=venue.id,
            items=Jsonb(
                [
                    {
                        "room_id": facts["room"],
                        "starts_at": slot["starts_at"].isoformat(),
                        "party_size": 2,
                    }
                    for slot in slots[-4:-2]
                ]
            ),
            customer={"full_name": "Ada", "email": email_of("ada")},
            idempotency_key="ordered",
        )
        comment = venue.owner.call(
            "add_booking_comment",
            organization_id=venue.id,
            booking_id=confirmed["id"],
            body="Wants the hard game",
            idempotency_key="comment",
        )
        venue.owner.call(
            "set_booking_people",
            organization_id=venue.id,
            booking_id=confirmed["id"],
            people=Jsonb([{"full_name": "Ada"}, {"full_name": "Bob", "email": email_of("bob")}]),
        )
        (tag,) = venue.owner.select(
            "insert into public.tags (name, color) values ('Birthday', '#ff0000')"
            " returning id::text"
        )
        venue.owner.call(
            "set_booking_tags",
            organization_id=venue.id,
            booking_id=confirmed["id"],
            tag_ids=[tag["id"]],
        )
        keep(
            tag=tag["id"],
            desk_payment=part["payment_id"],
            cash_day=self._open_cash_day(venue, facts),
            comment=comment["id"],
            order=ordered["id"],
            order_reference=ordered["reference"],
            order_token=ordered["order_token"],
            order_slot=slots[-5]["starts_at"].isoformat(),
            arriving_booking=arriving["id"],
            late_reference=arriving["reference"],
            late_manage_token=arriving["manage_token"],
            refund_request=promised[0]["refund_request_id"],
            booking=confirmed["id"],
            reference=confirmed["reference"],
            manage_token=confirmed["manage_token"],
            check_in_code=self.house.one(
                "select private.check_in_code(b) from public.bookings as b where id = %s",
                confirmed["id"],
            ),
            returned_booking=returned["id"],
            given_booking=given["id"],
            given_reference=given["reference"],
            given_manage_token=given["manage_token"],
            full_price=given["total_cents"],
            open_booking=open_["id"],
            open_reference=open_["reference"],
            open_manage_token=open_["manage_token"],
            share=share["share_id"],
            share_token=share["share_token"],
            free_slot=slots[-1]["starts_at"].isoformat(),
        )

    def _open_cash_day(self, venue: Venue, facts: Mapping[str, str]) -> str:
        opened = venue.owner.call(
            "open_cash_day", organization_id=venue.id, location_id=facts["location"]
        )
        return str(opened["cash_day_id"])

    def _webhooks(self, venue: Venue, keep: _Keeper) -> None:
        """What the bookings have told so far: the events of a transaction come with its end."""
        trigger = "public.tell_booking_webhook"
        self.house.connection.execute(f"set constraints {trigger} immediate".encode())
        self.house.connection.execute(f"set constraints {trigger} deferred".encode())
        keep(
            webhook_delivery=self.house.one(
                "select min(id::text) from private.webhook_deliveries where organization_id = %s",
                venue.id,
            )
        )

    def _waitlist(self, venue: Venue, keep: _Keeper) -> None:
        """Somebody who waits for a day on which the room is blocked."""
        facts = load(self.house.connection)[keep.tenant]
        day = self.house.one("select current_date + 20")
        venue.owner.call(
            "block_room",
            organization_id=venue.id,
            room_id=facts["room"],
            starts_at=day - timedelta(days=1),
            ends_at=day + timedelta(days=2),
        )
        entry = self.house.nobody.call(
            "join_waitlist",
            slug=facts["calendar_slug"],
            from_date=day,
            to_date=day,
            party_size=2,
            customer={"full_name": "Dora", "email": email_of("dora")},
            idempotency_key="dora",
        )
        keep(
            waitlist_day=day,
            waitlist_token=entry["waitlist_token"],
            waitlist_entry=self.house.one(
                "select id from public.waitlist_entries where organization_id = %s", venue.id
            ),
        )

    def _people(self, venue: Venue, keep: _Keeper) -> None:
        """A waiver that is signed on a link, a kiosk, and customers to merge and to erase."""
        facts = load(self.house.connection)[keep.tenant]
        mine = {"organization_id": venue.id}
        venue.owner.change("update public.rooms set waiver_policy = 'optional'")
        published = venue.owner.call("publish_waiver", **mine, texts={"es": "Firmo"})
        kiosk = venue.owner.call(
            "create_waiver_kiosk", **mine, location_id=facts["location"], name="Lobby"
        )
        link = {"reference": facts["reference"], "manage_token": facts["manage_token"]}
        token = self.house.nobody.call("get_booking", **link)["waiver"]["token"]
        signed = self.house.nobody.call(
            "sign_waiver",
            token=token,
            version=published["version"],
            signer={"full_name": "Ada"},
            signature="M0 0L1 1",
            idempotency_key="ada",
        )
        customers = {
            name: str(
                venue.owner.select(
                    "select id from public.customers where email = %s", email_of(name)
                )[0]["id"]
            )
            for name in ("ada", "cleo")
        }
        keep(
            waiver_token=token,
            signature=signed["signature_id"],
            kiosk=kiosk["id"],
            kiosk_token=kiosk["token"],
            customer=customers["ada"],
            former_customer=customers["cleo"],
        )

    def _staffing(self, venue: Venue, keep: _Keeper) -> None:
        """Somebody who may run the room, is there, and runs the first booking's session."""
        facts = load(self.house.connection)[keep.tenant]
        person = facts["spare_member"]
        session = self.house.one(
            "select session_id from public.bookings where organization_id = %s and id = %s",
            venue.id,
            facts["booking"],
        )
        keep(session=session)
        venue.owner.change(
            "insert into public.staff_skills (user_id, room_id) values (%s, %s)",
            person,
            facts["room"],
        )
        venue.owner.change(
            "insert into public.staff_shifts (user_id, location_id, date, from_time, to_time)"
            " values (%s, %s, current_date + 2, '09:00', '23:00')",
            person,
            facts["location"],
        )
        venue.owner.call(
            "assign_game_master", organization_id=venue.id, session_id=session, user_id=person
        )

    def _games(self, venue: Venue, keep: _Keeper) -> None:
        """Games that are over, paused, on and about to begin, one after the other in one room."""
        facts = load(self.house.connection)[keep.tenant]
        mine = {"organization_id": venue.id}
        parties: list[dict[str, Any]] = []
        lives = (("start_game", "finish_game"), ("start_game", "pause_game"), ("start_game",), ())
        for n, calls in enumerate(lives):
            booking = venue.owner.call(
                "create_booking",
                **mine,
                room_id=facts["spare_room"],
                # The last within the hours in which a party is checked in.
                starts_at=self.house.one(
                    "select now() - interval '50 minutes' + make_interval(mins => 90 * %s)", n
                ),
                party_size=2,
                customer={"full_name": "Eva"},
                idempotency_key=f"game {n}",
            )
            booking["session_id"] = self.house.one(
                "select session_id from public.bookings where id = %s", booking["id"]
            )
            parties.append(booking)
            for to_status in ("confirmed", "checked_in"):
                venue.owner.call(
                    "transition_booking", **mine, booking_id=booking["id"], to_status=to_status
                )
            for call in calls:
                ended = {"outcome": "failed", "team_name": "The Matrix"}
                venue.owner.call(
                    call,
                    **mine,
                    session_id=booking["session_id"],
                    **(ended if call == "finish_game" else {}),
                )
        over, paused, running, ready = parties
        item = venue.owner.select(
            "insert into public.checklist_items (room_id, phase, title, is_required)"
            " values (%s, 'reset', 'Reset the locks', false) returning id::text",
            facts["spare_room"],
        )[0]["id"]
        incident = venue.owner.call(
            "report_incident",
            **mine,
            room_id=facts["room"],
            description="A lock is stuck",
            idempotency_key="incident",
        )
        keep(
            game_booking=over["id"],
            game_reference=over["reference"],
            game_manage_token=over["manage_token"],
            paused_session=paused["session_id"],
            game_session=running["session_id"],
            ready_session=ready["session_id"],
            checklist_item=item,
            incident=incident["incident_id"],
        )

    def _notices(self, venue: Venue) -> None:
        """What was told of all that, and how people want to be told: the owner, and all others."""
        self.house.service.call("service.sweep_notices")
        venue.owner.call(
            "set_notification_preference",
            organization_id=venue.id,
            type="booking_changed",
            in_app=True,
            mail=False,
        )
        # Rows are a person's own: whoever has none is shown none, whatever the policy says.
        self.house.owner_sql(
            "insert into public.notifications"
            " (organization_id, user_id, type, event_id, booking_id, data, created_at)"
            " select m.organization_id, m.user_id, n.type, n.event_id, n.booking_id, n.data,"
            " n.created_at from public.memberships as m cross join ("
            " select * from public.notifications where organization_id = %s"
            " order by id limit 1) as n where m.organization_id = n.organization_id"
            " on conflict do nothing",
            venue.id,
        )
        self.house.owner_sql(
            "insert into public.notification_preferences"
            " select m.organization_id, m.user_id, p.type, p.in_app, p.mail"
            " from public.memberships as m join public.notification_preferences as p"
            " on p.organization_id = m.organization_id where m.organization_id = %s"
            " on conflict do nothing",
            venue.id,
        )
        # The file of each is the one in the bucket.
        self.house.owner_sql(
            "insert into public.table_exports (organization_id, user_id, kind, format, locale,"
            " permissions, status, progress, row_count, object_path, finished_at, expires_at)"
            " select m.organization_id, m.user_id, 'bookings', 'csv', 'es', '{reports:export}',"
            " 'finished', 100, 0, o.name, now(), now() + interval '3 days'"
            " from public.memberships as m join storage.objects as o on o.bucket_id ="
            " 'table-exports' and starts_with(o.name, m.organization_id::text)"
            " where m.organization_id = %s",
            venue.id,
        )

        # The statement of each has the id of the organization.
        self.house.owner_sql(
            "insert into private.report_statements (organization_id, id, caller, statement,"
            " created_at) select c.organization_id, c.organization_id, c.id, 'SELECT 1 AS \"one\"',"
            " now() + interval '1 day' from (select m.organization_id, m.user_id as id from"
            " public.memberships as m union all select k.organization_id, k.id from"
            " public.api_keys as k) as c where c.organization_id = %s",
            venue.id,
        )

    def _cast(self, venue: Venue, operator: Client) -> None:
        """The people of the matrix: each system role, each permission alone, all but each."""
        keep = _Keeper(self.house, EVERYWHERE)
        keep(operator=self.house.sign_up("second_operator").id)
        self.house.owner_sql(
            "insert into private.platform_admins (user_id) select user_id from public.profiles"
            " where email = %s",
            email_of("second_operator"),
        )
        keep(visitor=operator.id, owner=venue.owner.id)
        for role in ("admin", "manager", "receptionist", "game_master"):
            keep(**{role: venue.hire(role, role).id})
        member = {"organization_id": venue.id}
        suspended, former = venue.hire("suspended", "admin"), venue.hire("former", "admin")
        venue.owner.call("suspend_member", **member, user_id=suspended.id)
        venue.owner.call("remove_member", **member, user_id=former.id)
        keep(suspended=suspended.id, former=former.id, player=self.house.sign_up("player").id)
        keep(unproven=self.house.sign_up(f"{NORTH}_guest", proven=False).id)
        scanned = self.house.sign_up("scanned", proven=False)
        self.house.owner_sql(
            "insert into private.proven_addresses (user_id, email, proven_by, sign_in_trusted)"
            " values (%s, %s, 'mail', false)",
            scanned.id,
            email_of("scanned"),
        )
        keep(scanned=scanned.id)
        self._let_a_session_end(venue.hire("outlived", "admin"), keep)
        past = self.house.sign_up("past_visitor")
        self.house.admit_platform_admin(past)
        entry = past.call(
            "platform_enter_organization", **member, reason="A visit that is over", role_key="admin"
        )
        self.house.owner_sql(
            "update public.support_entries set expires_at = now() where id = %s", entry["id"]
        )
        self.house.owner_sql(
            "update public.memberships set expires_at = now() where user_id = %s", past.id
        )
        # Nobody's platform rights may stand in for a membership's.
        self.house.owner_sql("delete from private.platform_admins where user_id = %s", past.id)
        keep(past_visitor=past.id)
        for permission in expectations().permissions:
            made = venue.owner.call(
                "create_api_key", **member, name=permission, permissions=[permission]
            )
            everything_but = set(expectations().permissions) - {permission}
            role = venue.make_role(f"Without {permission}", everything_but)
            person = venue.hire(f"without_{permission.replace(':', '_')}", role)
            keep(**{f"key:{permission}": made["id"], f"without:{permission}": person.id})

    def _let_a_session_end(self, person: Client, keep: _Keeper) -> None:
        """Somebody's session, and then the proof of another address that ends it."""
        session = str(uuid4())
        self.house.connection.execute(
            "insert into auth.sessions (id, user_id) values (%s, %s)", [session, person.id]
        )
        self.house.owner_sql(
            "select private.prove_address(%s, %s, 'mail', true)",
            person.id,
            email_of("outlived_later"),
        )
        keep(outlived=person.id, outlived_session=session)

    def _fill_the_rest(self, tenant: str, venue: Venue) -> None:
        """A row for every table of the tenant that has none yet, parents first."""
        pending = [
            row["name"]
            for row in self.house.owner_sql("select t as name from private.tenant_tables() as t")
            if venue.count(row["name"]) == 0
        ]
        while pending:
            refusals: dict[str, str] = {}
            for table in pending:
                try:
                    self._fill(tenant, venue, table)
                except psycopg.Error as error:
                    refusals[table] = str(error)
            if len(refusals) == len(pending):
                raise LookupError(f"arrange these in tests/matrix/world.py: {refusals}")
            pending = list(refusals)

    def _fill(self, tenant: str, venue: Venue, table: str) -> None:
        facts = load(self.house.connection)[tenant]
        declared = expectations().tables.get(table)
        row = {} if declared is None else declared.row
        values = {name: with_facts(value, facts) for name, value in row.items()}
        values = values or self._generated(venue, table)
        self.house.owner_sql(
            f"insert into public.{table} ({', '.join(values)})"
            f" values ({', '.join(values.values())})".replace("%", "%%")
        )

    def _generated(self, venue: Venue, table: str) -> dict[str, str]:
        """A value for every required column: a parent's key, or something of the type."""
        values = {"organization_id": f"'{venue.id}'"}
        columns = self.house.owner_sql(
            """
            select a.attname as name, t.typname as type, f.parent, f.target
            from pg_attribute as a
            join pg_type as t on t.oid = a.atttypid
            left join lateral (
              select c.confrelid::regclass::text as parent, pa.attname as target
              from pg_constraint as c
              cross join unnest(c.conkey, c.confkey) as k (child, parent)
              join pg_attribute as pa on pa.attrelid = c.confrelid and pa.attnum = k.parent
              where c.conrelid = a.attrelid and c.contype = 'f' and k.child = a.attnum
              order by cardinality(c.conkey) desc
              limit 1
            ) as f on true
            where a.attrelid = ('public.' || quote_ident(%s))::regclass
              and a.attnum > 0 and not a.attisdropped and a.attnotnull
              and not a.atthasdef and a.attidentity = '' and a.attname <> 'organization_id'
            """,
            table,
        )
        for column in columns:
            if column["parent"] is not None:
                values[column["name"]] = (
                    f"(select p.{column['target']} from {column['parent']} as p"
                    f" where p.organization_id = '{venue.id}' limit 1)"
                )
            else:
                values[column["name"]] = _OF_TYPE.get(column["type"], "null")
        return values

    def _keep_samples(self, tenant: str) -> None:
        """The rows that are there to be deleted."""
        facts = kept(load(self.house.connection)[tenant])
        everything = (*expectations().tables.values(), *expectations().buckets.values())
        for table in everything:
            if not table.sample:
                continue
            values = ", ".join(with_facts(value, facts) for value in table.sample.values())
            self.house.owner_sql(
                f"insert into {table.relation} ({', '.join(table.sample)})"
                f" values ({values})".replace("%", "%%")
            )


_OF_TYPE = {
    "uuid": "gen_random_uuid()",
    "text": "'x'",
    "int4": "1",
    "int8": "1",
    "bool": "true",
    "date": "current_date",
    "timestamptz": "now()",
    "jsonb": "'{}'",
}


@dataclass(frozen=True, slots=True)
class _Keeper:
    """Keeps facts of one tenant."""

    house: House
    tenant: str

    def __call__(self, **facts: object) -> None:
        for name, value in facts.items():
            self.house.connection.execute(
                "insert into matrix.facts values (%s, %s, %s)", [self.tenant, name, str(value)]
            )
