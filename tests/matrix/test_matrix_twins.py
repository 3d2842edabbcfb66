"""Ids are unique in a tenant and no further: a twin with the same ids changes no answer, and
nothing that is done changes the twin."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import psycopg
import pytest

from client import ANON, SERVICE, Caller, Client, Connection, Refused
from matrix.busy import ADDRESS, GREEDY_ADDRESS
from matrix.expectations import FunctionExpectation, expectations, with_facts
from matrix.house import House
from matrix.world import EVERYWHERE, NORTH, Facts

#: What test_tenancy_twins is about, and what is written on every occasion.
_TENANCY = {
    "public.api_key_permissions",
    "public.api_keys",
    "public.audit_log",
    "public.audit_log_personal",
    "public.invitations",
    "public.organization_exports",
    "public.role_permissions",
    "public.roles",
    "public.support_entries",
    "private.api_key_secrets",
    "private.invitation_secrets",
    "private.join_codes",
    "private.platform_log",
}
#: What is about all tenants.
_OF_EVERYBODY = re.compile(
    r"public\.(platform_|my_context)"
    r"|service\.(health|sweep|queue_statistics|list_dead_jobs|claim_jobs|queue_stale_checkouts"
    r"|measures|list_stripe_accounts|queue_stale_stripe_accounts)"
)
#: What finds a row on the whole platform finds the first venue's.
_INSTEAD = {
    "path of public.room_images": (
        "regexp_replace(path, '^[^/]+', (select id::text from public.organizations"
        " where slug = 'twin'))"
    ),
    "slug": "'twin-' || slug",
    "dedupe_key": "'twin ' || dedupe_key",
    "token_hash": "sha256(token_hash)",
    "manage_token_hash": "sha256(manage_token_hash)",
    "waiver_token_hash": "sha256(waiver_token_hash)",
    "provider_payment_id": "'twin ' || provider_payment_id",
    "session_id of private.payment_attempts": "'twin ' || session_id",
    # An account of the provider's is one organization's.
    "account_id of public.stripe_accounts": "'acct_' || md5(account_id)",
    # So is a domain.
    "domain of public.sender_domains": "'twin-' || domain",
    # The provider brings an attempt's id, and nothing else.
    "id of private.payment_attempts": "gen_random_uuid()",
    "id of public.voucher_orders": "md5('twin ' || id)::uuid",
    "order_id": "md5('twin ' || order_id)::uuid",
    "id of public.payment_shares": "md5('twin ' || id)::uuid",
    "share_id": "md5('twin ' || share_id)::uuid",
}
#: What people read or pay is another in the twin; what says how things hang together is not.
_TEXT = re.compile(r"(?:^|_)(?:name|note|reason|description|wording|address|city|phone)$")
_NUMBER = re.compile(
    r"_(?:cents|bp|percent|minutes)$|^(?:value|quantity|party_size|capacity|seats)$"
)
_LINK_BESIDE = re.compile(r"^(?!organization_)\w+_id$")
#: Rules that do not apply in the venue do in its twin.
_RULES = (
    "update public.price_rules set from_time = '00:00', value = 50",
    "update public.rooms set waiver_policy = 'required', no_show_fee_percent = 70",
    "update public.room_cancellation_tiers set refund_percent = 50, hours_before = 2",
    "update public.coupons set status = 'inactive'",
    "update public.extras set is_active = false, stock_per_session = 1",
    "update public.bookings set exclusive = true",
    "update public.sessions set capacity = case mode when 'shared' then 100 else capacity end",
)
#: In a twin that is alike, everybody is booked in the hall, where everything is sold.
_ALIKE_RULES = (
    "update public.bookings set room_id = (select id from public.rooms where slug = 'hall')",
    (
        "update public.extra_rooms set room_id = case"
        " when room_id in (select id from public.rooms where slug = 'prison')"
        " then (select id from public.rooms where slug = 'hall') else room_id end"
    ),
)
#: And in a strange twin, what is over goes on, and everybody has another address.
_STRANGE_RULES = (
    "update public.bookings set status = 'confirmed', hold_expires_at = null",
    "update public.booking_history set occurred_at = occurred_at - interval '1 day'",
    (
        "update public.customers set email = case full_name"
        " when 'twin Jo' then 'hana.before@example.test' else 'twin.' || email end"
    ),
    (
        "update public.audit_log_personal set before = replace(before::text, '@', '@twin.')::jsonb,"
        " after = replace(after::text, '@', '@twin.')::jsonb"
    ),
)
_TIME = re.compile(r"^(?:starts_at|ends_at|occupied_until|occurred_at)$")
#: A refusal of the product's. One of the database's says that a request went too far.
_CODE = r"[a-z0-9_]+"
#: New in every run: ids, tokens, references, hashes, moments, how long a game is on.
_NEW = re.compile(
    r"whsec_[A-Za-z0-9+/]+=|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[A-Za-z0-9_-]{20,}|esk_[A-Za-z0-9_-]+"
    r"|\b[A-Z0-9]{4}(?:-[A-Z0-9]{4})+\b"
    r"|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d+"
    r'|(?<="id": )\d+|"(?:elapsed|remaining|paused)_ms": \d+'
)

#: By kind of twin, the columns (table, name) in which it must be like the venue.
_FORBIDDEN: dict[Kind, set[tuple[str, str]]] = {}
#: Counted on over all tenants.
_COUNTED = {"private.jobs": ["id"], "private.webhook_deliveries": ["position"]}

_EVERYTHING = (
    "extras => jsonb_build_array(jsonb_build_object('extra_id', :extra, 'quantity', 1)),"
    " coupon_code => :coupon_code, voucher_code => :voucher_code"
)
_GUEST = """customer => '{"full_name": "Ada", "email": "ada@example.test"}'"""
Kind = Literal["alike", "later", "strange"]
#: By table, each row as text, in any order.
Rows = dict[str, list[str]]
_MORE_RULES: dict[Kind, tuple[str, ...]] = {"alike": _ALIKE_RULES, "strange": _STRANGE_RULES}

_OWN = "organization_id => :organization"
_PAID = "job_id => :paid_job, lease_token => :paid_lease"
_REFUNDED = "job_id => :refunded_job, lease_token => :refunded_lease"
_PHOTO = "extras => jsonb_build_array(jsonb_build_object('extra_id', :photo, 'quantity', 2))"
_HALL = f"room_id => :hall, starts_at => :hall_slot, {_PHOTO}, coupon_code => 'LIMITED'"

#: Besides the sample calls of expectations.toml: requests that go further, by who makes them.
_DEEDS = {
    "join a game": (
        "anon",
        (
            f"public.hold_booking(slug => :calendar_slug, {_HALL}, party_size => 2, {_GUEST},"
            " expected_total_cents => 2100, idempotency_key => 'twin')"
        ),
    ),
    "let more people join than are sold": (
        "authenticated",
        (
            f"public.create_booking({_OWN}, {_HALL}, party_size => 5, {_GUEST},"
            " idempotency_key => 'twin')"
        ),
    ),
    "quote a seat in a game": (
        "anon",
        f"public.quote_booking(slug => :calendar_slug, {_HALL}, party_size => 2)",
    ),
    "look at a seat in a game": (
        "anon",
        "public.get_booking(reference => :hall_reference, manage_token => :hall_manage_token)",
    ),
    "bring a friend to a game": (
        "anon",
        (
            "public.reschedule_booking(reference => :hall_reference,"
            " manage_token => :hall_manage_token, party_size => 3,"
            " expected_total_cents => 3000, idempotency_key => 'twin')"
        ),
    ),
    "bring friends to a game by staff": (
        "authenticated",
        (
            f"public.change_booking({_OWN}, booking_id => :hall_booking,"
            " idempotency_key => 'twin', party_size => 7)"
        ),
    ),
    "leave a game": (
        "anon",
        "public.cancel_booking(reference => :hall_reference, manage_token => :hall_manage_token)",
    ),
    "leave a game that others wait for": (
        "anon",
        (
            "public.cancel_booking(reference => :couple_reference,"
            " manage_token => :couple_manage_token)"
        ),
    ),
    "join a game too many": (
        "greedy",
        (
            f"public.hold_booking(slug => :calendar_slug, {_HALL}, party_size => 2, {_GUEST},"
            " expected_total_cents => 2100, idempotency_key => 'twin')"
        ),
    ),
    "stop waiting": ("anon", "public.leave_waitlist(token => :kim_waitlist_token)"),
    "decline a place": ("anon", "public.leave_waitlist(token => :lee_waitlist_token)"),
    "pay for a place that was offered": (
        "authenticated",
        (
            f"public.record_payment({_OWN}, booking_id => :offered_booking, method => 'cash',"
            " amount_cents => 2000, idempotency_key => 'twin')"
        ),
    ),
    "block the hall": (
        "authenticated",
        (
            f"public.block_room({_OWN}, room_id => :hall,"
            " starts_at => :hall_slot::timestamptz + interval '3 hours',"
            " ends_at => :hall_slot::timestamptz + interval '5 hours',"
            " repeats => 'daily', until => (:hall_slot::timestamptz + interval '1 day')::date)"
        ),
    ),
    "book at a price": (
        "authenticated",
        (
            f"public.create_booking({_OWN}, room_id => :room, starts_at => :free_slot,"
            f" party_size => 3, {_GUEST}, idempotency_key => 'twin', price_cents => 0,"
            " override_reason => 'A friend')"
        ),
    ),
    "quote another time at the price that was set": (
        "authenticated",
        f"public.quote_change({_OWN}, booking_id => :set_booking, starts_at => :free_slot)",
    ),
    "another time at the price that was set": (
        "authenticated",
        (
            f"public.change_booking({_OWN}, booking_id => :set_booking,"
            " idempotency_key => 'twin', starts_at => :free_slot)"
        ),
    ),
    "another room for what was priced with everything": (
        "authenticated",
        (
            f"public.quote_change({_OWN}, booking_id => :given_booking, room_id => :hall,"
            " starts_at => :hall_slot)"
        ),
    ),
    "export who was merged": (
        "authenticated",
        f"public.export_customer({_OWN}, customer_id => :gus)",
    ),
    "erase who was merged": (
        "authenticated",
        f"public.erase_customer({_OWN}, customer_id => :gus, reason => 'Asked')",
    ),
    "give up on a page that nobody made": (
        "anon",
        ("public.cancel_booking(reference => :paid_reference, manage_token => :paid_manage_token)"),
    ),
    **{
        f"mail: {template}": (
            "service_role",
            (
                f"service.prepare_email(job_id => :mail_{template},"
                f" lease_token => :mail_{template}_lease)"
            ),
        )
        for template in (
            "booking_confirmed",
            "booking_cancelled",
            "booking_rescheduled",
            "waitlist_offer",
            "invitation",
        )
    },
    "hold with everything": (
        "anon",
        (
            "public.hold_booking(slug => :calendar_slug, room_id => :room, starts_at => :free_slot,"
            f" party_size => 2, {_GUEST}, expected_total_cents => :full_price,"
            f" idempotency_key => 'twin', {_EVERYTHING})"
        ),
    ),
    "quote with everything": (
        "anon",
        (
            "public.quote_booking(slug => :calendar_slug, room_id => :room,"
            f" starts_at => :free_slot, party_size => 6, {_EVERYTHING})"
        ),
    ),
    "book with everything": (
        "authenticated",
        (
            f"public.create_booking({_OWN}, room_id => :room, starts_at => :free_slot,"
            f" party_size => 3, {_GUEST}, idempotency_key => 'twin', {_EVERYTHING})"
        ),
    ),
    "see what is priced with everything": (
        "anon",
        ("public.get_booking(reference => :given_reference, manage_token => :given_manage_token)"),
    ),
    "quote a change of what is priced with everything": (
        "anon",
        (
            "public.quote_reschedule(reference => :given_reference,"
            " manage_token => :given_manage_token, starts_at => :free_slot, party_size => 4)"
        ),
    ),
    "change what is priced with everything": (
        "authenticated",
        (
            f"public.change_booking({_OWN}, booking_id => :given_booking,"
            " idempotency_key => 'twin', starts_at => :free_slot, party_size => 4)"
        ),
    ),
    "cancel what is priced with everything": (
        "anon",
        (
            "public.cancel_booking(reference => :given_reference,"
            " manage_token => :given_manage_token)"
        ),
    ),
    "cancel by staff": (
        "authenticated",
        (f"public.transition_booking({_OWN}, booking_id => :booking, to_status => 'cancelled')"),
    ),
    "nobody came": (
        "authenticated",
        (f"public.transition_booking({_OWN}, booking_id => :booking, to_status => 'no_show')"),
    ),
    "refund everything": (
        "authenticated",
        (
            f"public.refund_booking({_OWN}, booking_id => :booking, amount_cents => 3000,"
            " reason => 'Broken', idempotency_key => 'twin')"
        ),
    ),
    "block a day": (
        "authenticated",
        (
            f"public.block_room({_OWN}, room_id => :spare_room, starts_at => :free_slot,"
            " ends_at => :free_slot::timestamptz + interval '5 hours')"
        ),
    ),
    "block the place": (
        "authenticated",
        (
            f"public.block_room({_OWN}, room_id => null, scope => 'location',"
            " location_id => :location, starts_at => '2101-01-01 10:00Z',"
            " ends_at => '2101-01-01 11:00Z')"
        ),
    ),
    "merge": (
        "authenticated",
        (f"public.merge_customers({_OWN}, keep_id => :customer, merge_id => :former_customer)"),
    ),
    "erase": (
        "authenticated",
        (f"public.erase_customer({_OWN}, customer_id => :former_customer, reason => 'Asked')"),
    ),
    "money arrives": (
        "service_role",
        f"service.apply_checkout_session({_PAID}, session => :paid_session::jsonb)",
    ),
    "no money arrives": (
        "service_role",
        f"service.apply_checkout_session({_PAID}, session => :paid_expired::jsonb)",
    ),
    "the provider does not answer": (
        "service_role",
        (
            "service.fail_checkout(attempt_id => :paid_attempt,"
            " attempt_token => :paid_attempt_token, error => 'timeout')"
        ),
    ),
    "money goes back": (
        "service_role",
        f"service.apply_refund({_REFUNDED}, refund => :refunded_online::jsonb)",
    ),
    "money is to go back": (
        "service_role",
        f"service.get_refund_request({_REFUNDED})",
    ),
}

#: All others succeed.
_REFUSED = {
    "another room for what was priced with everything": "extra_not_found",
    "join a game too many": "too_many_holds",
}


@dataclass(frozen=True, slots=True)
class Twins:
    """The first venue, of which a twin can be made.

    Attributes:
        facts: What its things are called.
        tables: The tables whose rows are compared, with their columns.
        usual: The venue's rows before anything is done.
    """

    house: House
    facts: dict[str, str]
    operator: str
    tables: dict[str, list[str]]
    usual: Rows

    @property
    def id(self) -> str:
        return self.facts["organization"]

    def outcome(
        self, caller: str, call: str, refusable: str, before: Rows
    ) -> tuple[object, Rows, set[str]]:
        """What it answers, or how it is refused, and what became of the venue's rows.

        Args:
            before: The venue's rows. What is like one of them is the same, and not looked at.

        Returns:
            The answer; by table the rows that are gone and those that are new, each with its sign;
            the tables in which anything was written, anybody's.
        """
        written = self._written()
        known = _Known(lambda: json.dumps([list(before.values()), self.facts]))
        try:
            answer: object = self._client(caller).select(
                f"select to_jsonb({with_facts(call, self.facts)}) as answer".replace("%", "%%")
            )
        except Refused as refusal:
            if not re.fullmatch(refusable, refusal.code):
                raise
            answer = (refusal.status, refusal.code, refusal.details)
        touched = {table for table, count in self._written().items() if count != written[table]}
        changed = {}
        for table, rows in self.rows(self.id, touched).items():
            was, now = Counter(before[table]), Counter(rows)
            if was != now:
                changed[table] = sorted(
                    [
                        *(f"- {_masked(row, known)}" for row in (was - now).elements()),
                        *(f"+ {_masked(row, known)}" for row in (now - was).elements()),
                    ]
                )
        return _masked(json.dumps(answer, default=str), known), changed, touched

    def _written(self) -> dict[str, int]:
        """How many rows were written in each table in this transaction, and taken back in it."""
        found = self.house.owner_sql(
            "select format('%%I.%%I', schemaname, relname) as name,"
            " n_tup_ins + n_tup_upd + n_tup_del as count from pg_stat_xact_user_tables"
        )
        counts = {row["name"]: row["count"] for row in found}
        return {table: counts[table] for table in self.tables}

    def let_it_be_over(self) -> None:
        """Let the time of the booking have come: before, nobody has stayed away."""
        self.house.owner_sql(
            "update public.sessions as s set starts_at = s.starts_at - interval '30 days',"
            " ends_at = s.ends_at - interval '30 days',"
            " occupied_until = s.occupied_until - interval '30 days' from public.bookings as b"
            " where b.organization_id = s.organization_id and b.session_id = s.id and b.id = %s",
            self.facts["booking"],
        )

    def lease_mails(self) -> None:
        """Take the jobs that send mails, and know one of each kind: as if the pause before mails of
        changes were over, and all at once, more than a venue may have running."""
        self.house.owner_sql(
            "update private.jobs set run_at = now() where kind = 'email.send' and run_at > now()"
        )
        self.house.owner_sql(
            "update private.job_kinds set share_limit = 1000 where kind = 'email.send'"
        )
        jobs = self._client("service_role")
        while claimed := jobs.select("select * from service.claim_jobs('twin', 100, 600)"):
            for job in claimed:
                if str(job["organization_id"]) == self.id and job["kind"] == "email.send":
                    name = f"mail_{job['payload']['template']}"
                    self.facts.update(
                        {name: str(job["id"]), f"{name}_lease": str(job["lease_token"])}
                    )

    def lease(self, name: str, kind: str, payload: dict[str, str]) -> None:
        """Have a job of this venue running, and know it."""
        [job] = self.house.owner_sql(
            "insert into private.jobs"
            " (organization_id, kind, payload, dedupe_key, status, lease_token, run_at)"
            " values (%s, %s, %s::jsonb, %s, 'running', gen_random_uuid(), now())"
            " returning id::text, lease_token::text",
            self.id,
            kind,
            json.dumps(payload),
            f"test:{name}",
        )
        self.facts.update({f"{name}_job": job["id"], f"{name}_lease": job["lease_token"]})

    def open_online(self) -> None:
        """Begin to pay for the open booking, and know what the provider may report."""
        link = {
            "reference": self.facts["open_reference"],
            "manage_token": self.facts["open_manage_token"],
        }
        service = self._client("service_role")
        opened = service.call("service.open_checkout", **link)
        session = {
            "id": "cs_twin",
            "status": "complete",
            "payment_status": "paid",
            "payment_intent": "pi_twin",
            "amount_total": opened["amount_cents"],
            "currency": opened["currency"].lower(),
            "client_reference_id": opened["attempt_id"],
            "as_of": opened["expires_at"],
        }
        for name in ("reference", "manage_token"):
            self.facts[f"paid_{name}"] = self.facts[f"open_{name}"]
        self.facts["paid_session"] = json.dumps(session)
        self.facts["paid_attempt"] = opened["attempt_id"]
        self.facts["paid_attempt_token"] = opened["attempt_token"]
        about = {"object_type": "checkout.session", "object_id": session["id"]}
        self.lease("paid", "stripe.sync", about)
        self.facts["paid_expired"] = json.dumps(
            {**session, "status": "expired", "payment_status": "unpaid", "payment_intent": None}
        )

    def pay_and_cancel_online(self) -> None:
        """Pay it, and cancel it: the money is to go back."""
        self._client("service_role").call(
            "service.apply_checkout_session",
            job_id=int(self.facts["paid_job"]),
            lease_token=self.facts["paid_lease"],
            session=json.loads(self.facts["paid_session"]),
        )
        self._client("anon").call(
            "cancel_booking",
            reference=self.facts["open_reference"],
            manage_token=self.facts["open_manage_token"],
        )
        request = self.house.one(
            "select id from private.refund_requests where organization_id = %s and booking_id = %s",
            self.id,
            self.facts["open_booking"],
        )
        refund = {
            "id": "re_twin",
            "status": "succeeded",
            "amount": json.loads(self.facts["paid_session"])["amount_total"],
            "payment_intent": "pi_twin",
            "refund_request_id": str(request),
            "as_of": "2026-01-01T00:00:00Z",
        }
        self.facts["refunded_online"] = json.dumps(refund)
        self.lease("refunded", "stripe.refund", {"refund_request_id": str(request)})

    def _client(self, caller: str) -> Client:
        people = {"operator": self.operator, "authenticated": self.facts["owner"]}
        if caller in people:
            who = Caller.person(people[caller])
        else:
            who = SERVICE if caller == "service_role" else ANON
        client = Client(self.house.connection, who, self.id, finishes=True)
        addresses = {"anon": ADDRESS, "greedy": GREEDY_ADDRESS}
        return client.sending(x_forwarded_for=addresses.get(caller, "192.0.2.1"))

    def rows(self, organization: str, tables: Iterable[str]) -> Rows:
        """Every row of an organization in these tables, in one statement."""
        return _rows(self.house, organization, tables)

    def arrange(self, call: str) -> Rows:
        """What a call needs besides what every venue has; the venue's rows then."""
        needed = (":mail_", ":paid_", ":refunded_", "'no_show'")
        if not any(need in call for need in needed):
            return self.usual
        if ":mail_" in call:
            self.lease_mails()
        if ":paid_" in call or ":refunded_" in call:
            self.open_online()
        if ":refunded_" in call:
            self.pay_and_cancel_online()
        if "'no_show'" in call:
            self.let_it_be_over()
        return self.rows(self.id, self.tables)

    def make_twin(self, kind: Kind) -> str:
        """Another organization with the same ids, in which everything else is different.

        Args:
            kind: alike: everything happens at the same times; later: a little later; strange: as
                in alike, but nothing hangs together, and what was over goes on.

        Its rows come first wherever nobody asks for an order.
        """
        twin = str(
            self.house.one(
                "insert into public.organizations (name, slug) values ('Twin', 'twin') returning id"
            )
        )
        # What a table's rules forbid is found by trying, which takes long, and is the same for all.
        connection = self.house.connection
        try:
            with connection.transaction():
                self._write(twin, kind, _FORBIDDEN[kind])
        except (KeyError, psycopg.Error):
            with connection.transaction():
                self._write(twin, kind, forbidden := self._forbidden(twin, kind))
            _FORBIDDEN[kind] = forbidden
        return twin

    def _write(self, twin: str, kind: Kind, forbidden: set[tuple[str, str]]) -> None:
        """The twin's rows, changed wherever it is not forbidden, in one round trip."""
        statements = ["set local session_replication_role = replica"]
        for table, columns in self.tables.items():
            changed = [name for name in columns if (table, name) not in forbidden]
            statements.append(self._copy(table, twin, kind, changed))
            statements += [
                f"{rule} where organization_id = '{twin}'"
                for rule in (*_RULES, *_MORE_RULES.get(kind, ()))
                if rule.startswith(f"update {table} ")
            ]
            statements.append(
                f"update {table} set organization_id = organization_id"
                f" where organization_id = '{self.id}'"
            )
        statements += self._copy_log(twin, kind)
        statements.append("set local session_replication_role = origin")
        self.house.connection.execute(f"do $$ begin {'; '.join(statements)}; end $$".encode())

    def _forbidden(self, twin: str, kind: Kind) -> set[tuple[str, str]]:
        """By table, the columns in which the twin's rows may not be different."""
        connection, forbidden = self.house.connection, set()
        with connection.transaction(force_rollback=True):
            connection.execute(b"set local session_replication_role = replica")
            for table, columns in self.tables.items():
                changed: list[str] = []
                for name in columns:
                    if _change(name, kind) is None:
                        continue
                    try:
                        with connection.transaction(force_rollback=True):
                            copy = self._copy(table, twin, kind, [*changed, name])
                            connection.execute(copy.encode())
                    except psycopg.Error:
                        forbidden.add((table, name))
                    else:
                        changed.append(name)
        return forbidden

    def _copy(self, table: str, twin: str, kind: Kind, changed: Sequence[str]) -> str:
        """The statement that copies a table's rows, with these columns changed."""
        columns = self.tables[table]
        copied = []
        for name in columns:
            value = _INSTEAD.get(f"{name} of {table}", _INSTEAD.get(name, name))
            change = _change(name, kind) if name in changed else None
            copied.append(change.format(value) if change else value)
        return (
            f"insert into {table} (organization_id, {', '.join(columns)})"
            f" select '{twin}', {', '.join(copied)} from {table}"
            f" where organization_id = '{self.id}'"
        )

    def _copy_log(self, twin: str, kind: Kind) -> list[str]:
        """What the log says of customers, who are found by it."""
        columns = "id, actor_kind, action, table_name, row_key, before, after"
        return [
            (
                f"insert into public.audit_log (organization_id, {columns}) select '{twin}',"
                f" {columns} from public.audit_log where organization_id = '{self.id}'"
                " and table_name in ('customers', 'customer_tags')"
            ),
            (
                "insert into public.audit_log_personal"
                " (organization_id, id, table_name, before, after)"
                f" select '{twin}', p.id, p.table_name, p.before, p.after"
                " from public.audit_log_personal as p"
                f" join public.audit_log as l on l.organization_id = '{twin}' and l.id = p.id"
                f" where p.organization_id = '{self.id}'"
            ),
            *(
                f"{rule} where organization_id = '{twin}'"
                for rule in _MORE_RULES.get(kind, ())
                if rule.startswith("update public.audit_log_personal ")
            ),
        ]


def _change(column: str, kind: Kind) -> str | None:
    """What a column's value becomes in the twin, if that is another."""
    if _TEXT.search(column):
        return "'twin ' || {}"
    if _TIME.search(column) and kind != "alike":
        return "{} + interval '7 minutes'"
    if _NUMBER.search(column):
        return "{} + 1"
    if kind == "strange" and _LINK_BESIDE.search(column):
        return "gen_random_uuid()"
    return None


class _Known(dict[str, bool]):
    """Whether a text stands in what was known before. To look for one takes long, and the same ones
    stand in row after row."""

    def __init__(self, write: Callable[[], str]) -> None:
        super().__init__()
        self._write = write

    @cached_property
    def _text(self) -> str:
        return self._write()

    def __missing__(self, found: str) -> bool:
        self[found] = found in self._text
        return self[found]


def _masked(text: str, known: Mapping[str, bool]) -> str:
    """Without what is new in every run. A number's digits stand somewhere by chance."""

    def shown(new: re.Match[str]) -> str:
        found = new.group()
        return found if not found.isdigit() and known[found] else "new"

    return _NEW.sub(shown, text)


def _rows(house: House, organization: str, tables: Iterable[str]) -> Rows:
    """Every row of an organization in these tables, in one statement."""
    read = [
        # A line a row: line breaks are escaped in its text.
        f"select '{table}' as name, string_agg("
        f"(to_jsonb(t) - '{{{','.join(['organization_id', *_COUNTED.get(table, [])])}}}'"
        "::text[])::text, E'\n') as rows"
        f" from {table} as t where organization_id = '{organization}'"
        for table in sorted(tables)
    ]
    return {
        found["name"]: sorted(found["rows"].split("\n")) if found["rows"] else []
        for found in (house.owner_sql(" union all ".join(read)) if read else [])
    }


def _tables(connection: Connection) -> dict[str, list[str]]:
    """Every table of tenants' rows, with the columns that can be written beside the tenant's."""
    rows = connection.execute(
        b"""
        select format('%I.%I', n.nspname, c.relname),
          array_agg(quote_ident(a.attname) order by a.attnum)
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_attribute as a on a.attrelid = c.oid
        where n.nspname in ('public', 'private') and c.relkind = 'r'
          and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
          and a.attname <> 'organization_id'
          and exists (
            select from pg_attribute as o
            where o.attrelid = c.oid and o.attname = 'organization_id' and not o.attisdropped
          )
        group by 1
        order by 1
        """
    ).fetchall()
    return {table: columns for table, columns in rows if table not in _TENANCY}


@pytest.fixture(scope="session")
def usual(busy_world: Connection, busy_facts: Facts) -> tuple[dict[str, list[str]], Rows]:
    """The tables that are compared, and the first venue's rows in them."""
    tables = _tables(busy_world)
    return tables, _rows(House(busy_world), busy_facts[NORTH]["organization"], tables)


@pytest.fixture
def twins(
    busy_world: Connection, busy_facts: Facts, usual: tuple[dict[str, list[str]], Rows]
) -> Iterator[Twins]:
    mine, operator = dict(busy_facts[NORTH]), busy_facts[EVERYWHERE]["visitor"]
    with busy_world.transaction(force_rollback=True):
        yield Twins(House(busy_world), mine, operator, *usual)


def _deeds() -> dict[str, tuple[str, str]]:
    samples = {
        name: (_caller(function), f"{name}({_arguments(function)})")
        for name, function in expectations().functions.items()
        if not _OF_EVERYBODY.match(name)
    }
    return {**samples, **_DEEDS}


def _arguments(function: FunctionExpectation) -> str:
    return ", ".join(f"{name} => {value}" for name, value in function.arguments.items())


def _caller(function: FunctionExpectation) -> str:
    if function.needs == "operator":
        return "operator"
    return next(
        role for role in ("authenticated", "anon", "service_role") if role in function.roles
    )


_EVERY_DEED = _deeds()


@pytest.mark.parametrize("deed", _EVERY_DEED)
def test_a_twin_changes_nothing_and_is_not_changed(twins: Twins, deed: str) -> None:
    compare(twins, deed, "later")


@pytest.mark.parametrize("kind", ["alike", "strange"])
@pytest.mark.parametrize("deed", _DEEDS)
def test_another_kind_of_twin_is_no_different(twins: Twins, deed: str, kind: Kind) -> None:
    compare(twins, deed, kind)


def compare(twins: Twins, deed: str, kind: Kind) -> None:
    """What is done without a twin and beside one."""
    caller, call = _EVERY_DEED[deed]
    refusable = _REFUSED.get(deed, "") if deed in _DEEDS else _CODE
    venue = twins.arrange(call)
    with twins.house.connection.transaction(force_rollback=True):
        alone, changed, _ = twins.outcome(caller, call, refusable, venue)
    twin = twins.make_twin(kind)
    with twins.house.connection.transaction(force_rollback=True):
        beside, changed_beside, touched = twins.outcome(caller, call, refusable, venue)
        rows = twins.rows(twin, touched)
    assert (beside, changed_beside) == (alone, changed)
    assert rows == twins.rows(twin, touched)


def test_what_is_not_looked_at_is_not_changed(twins: Twins) -> None:
    for deed in ("hold with everything", "merge", "erase", "money arrives", "block a day"):
        caller, call = _EVERY_DEED[deed]
        with twins.house.connection.transaction(force_rollback=True):
            venue = twins.arrange(call)
            _, changed, touched = twins.outcome(caller, call, "", venue)
            assert changed
            others = twins.tables.keys() - touched
            assert twins.rows(twins.id, others) == {table: venue[table] for table in others}
