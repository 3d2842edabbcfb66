"""A venue's own sender: whose a domain is, and when mails come from it."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import SERVICE, Client, Refused
from db.money_world import Database, Venue, make_venue

RECORDS = [
    {"type": "MX", "name": "send.mail", "value": "feedback", "priority": 10, "status": "pending"},
    {"type": "TXT", "name": "_dkim", "value": "p=MIG", "priority": None, "status": "pending"},
]


@pytest.fixture
def venue(money: Database) -> Venue:
    money.run("delete from private.jobs")
    return make_venue(money)


def name() -> str:
    return f"mail.{uuid.uuid4().hex}.example"


def claim(venue: Venue, domain: str) -> None:
    venue.owner.change(
        "insert into public.sender_domains (organization_id, domain) values (%s, %s)",
        venue.organization_id,
        domain,
    )


def seen(venue: Venue) -> dict[str, Any]:
    [row] = venue.owner.select(
        "select d.*, to_jsonb(records) as told from public.sender_domains as d"
    )
    return row


def proof_record(row: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "type": "TXT",
        "name": f"_escapemaster.{row['domain']}",
        "value": f"escapemaster={row['proof']}",
        "priority": None,
        "status": status,
    }


def prove(venue: Venue, *others: str, set_own: bool = True) -> bool:
    """A worker looks into the DNS, and finds the proof of the venue's claim there and others."""
    claimed = seen(venue)
    proofs = [*([claimed["proof"]] if set_own else []), *others]
    with venue.does("sender.read", sender_domain_id=str(claimed["id"])) as lease:
        return bool(venue.service.call("service.prove_sender_domain", **lease, proofs=proofs))


def read(venue: Venue, status: str) -> Any:
    """A worker's turn with what was queued: what it was to read."""
    queued = "delete from private.jobs where organization_id = %s and kind = 'sender.read'"
    assert venue.database.run(queued, venue.organization_id) == 1
    prove(venue)
    with venue.does("sender.read", sender_domain_id=str(seen(venue)["id"])) as lease:
        wanted = venue.service.call("service.read_sender_domain", **lease)
        assert wanted["is_proven"]
        kept = venue.service.call(
            "service.record_sender_domain",
            **lease,
            provider_id=wanted["provider_id"] or f"d_{uuid.uuid4().hex}",
            status=status,
            records=Jsonb(RECORDS),
        )
        assert kept is True
    return wanted


def sender(venue: Venue) -> str | None:
    """From which address of its own the next mail of the venue comes."""
    booking = venue.hold()
    venue.pay(booking)
    with venue.does("email.send", booking_id=booking.id, template="booking_confirmed") as lease:
        prepared = venue.service.call("service.prepare_email", **lease)
    address = prepared["sender_address"]
    return None if address is None else str(address)


def test_mails_come_from_the_venue_s_domain_while_it_is_verified_and_at_no_other_time(
    venue: Venue,
) -> None:
    domain = name()
    claim(venue, domain)
    assert (seen(venue)["status"], seen(venue)["told"]) == ("pending", [])
    wanted = read(venue, "pending")
    assert (wanted["domain"], wanted["provider_id"]) == (domain, None)
    assert seen(venue)["told"] == [proof_record(seen(venue), "verified"), *RECORDS]
    assert sender(venue) is None
    venue.database.run("update public.sender_domains set checked_at = now() - interval '3 min'")
    venue.service.call("service.sweep")
    assert read(venue, "verified")["provider_id"] == seen(venue)["provider_id"]
    assert sender(venue) == f"bookings@{domain}"
    venue.owner.change("update public.sender_domains set local_part = 'reservas'")
    assert sender(venue) == f"reservas@{domain}"
    # The provider refuses a mail of that sender.
    booking = venue.hold()
    venue.pay(booking)
    with venue.does("email.send", booking_id=booking.id, template="booking_confirmed") as lease:
        venue.service.call("service.doubt_sender_domain", **lease)
        assert venue.service.call("service.prepare_email", **lease)["sender_address"] is None
    assert seen(venue)["status"] == "failed"
    read(venue, "verified")
    assert sender(venue) == f"reservas@{domain}"
    # Given up: at once, and it is removed at the provider.
    known = seen(venue)["provider_id"]
    assert venue.owner.change("delete from public.sender_domains") == 1
    assert sender(venue) is None
    removed = "select payload ->> 'provider_id' from private.jobs where kind = 'sender.remove'"
    assert venue.database.one(removed) == known


def test_domains_whose_reading_died_do_not_take_the_turn_of_another(venue: Venue) -> None:
    domain = name()
    claim(venue, domain)
    run = venue.database.run
    # A venue claims three at most: here one stands for a hundred venues.
    run("alter table public.sender_domains disable trigger sender_domains_are_bounded")
    run(
        "insert into public.sender_domains (organization_id, domain, checked_at)"
        " select %s, 'mail' || n || '.example', now() - interval '1 hour'"
        " from generate_series(1, 100) as n",
        venue.organization_id,
    )
    run("alter table public.sender_domains enable trigger sender_domains_are_bounded")
    dead = (
        "update private.jobs set status = 'dead', attempts = 8, finished_at = now()"
        " where kind = 'sender.read'"
    )
    assert run(dead) == 101
    run(
        "delete from private.jobs where dedupe_key = (select 'sender.read:' || id"
        " from public.sender_domains where domain = %s)",
        domain,
    )
    run(
        "update public.sender_domains set checked_at = now() - interval '3 min' where domain = %s",
        domain,
    )
    venue.service.call("service.sweep")
    assert venue.database.one(
        "select array_agg(d.domain) from private.jobs as j join public.sender_domains as d"
        " on j.dedupe_key = 'sender.read:' || d.id where j.status = 'queued'"
    ) == [domain]


def test_a_claim_that_nobody_proves_bars_nobody_and_lapses(venue: Venue) -> None:
    """A stranger who names a venue's domain first is asked for its DNS, and keeps nobody out."""
    other, domain = make_venue(venue.database), name()
    claim(venue, domain)
    with pytest.raises(Refused, match="sender_domains_domain_key"):
        claim(venue, domain)
    claim(other, domain)
    for wrong in ("Venue.example", "venue", "a@venue.example", "mail.local", "1.2.3.4", ""):
        with pytest.raises(Refused, match="sender_domains_domain_is_one"):
            claim(other, wrong)
    # Nobody writes that it is verified or proven, and nobody else sees or gives it up.
    for column, said in (("status", "'verified'"), ("proven_at", "now()"), ("proof", "'mine'")):
        with pytest.raises(Refused):
            venue.owner.change(f"update public.sender_domains set {column} = {said}")
    assert seen(other)["organization_id"] != seen(venue)["organization_id"]
    # The stranger's record is not there, whatever else is: nothing is made or recorded for it.
    assert not prove(venue, seen(other)["proof"], set_own=False)
    assert seen(venue)["told"] == [proof_record(seen(venue), "pending")]
    with venue.does("sender.read", sender_domain_id=str(seen(venue)["id"])) as lease:
        assert not venue.service.call("service.read_sender_domain", **lease)["is_proven"]
        told = {"provider_id": "d_1", "status": "verified", "records": Jsonb([])}
        assert venue.service.call("service.record_sender_domain", **lease, **told) is False
    assert (seen(venue)["status"], seen(venue)["provider_id"]) == ("pending", None)
    assert sender(venue) is None
    read(other, "verified")
    assert sender(other) == f"bookings@{domain}"
    venue.database.run(
        "update public.sender_domains set created_at = now() - %s", timedelta(days=8)
    )
    venue.service.call("service.sweep")
    left = venue.database.all(
        "select organization_id::text as of from public.sender_domains where domain = %s", domain
    )
    assert left == [{"of": other.organization_id}]


def test_a_proven_domain_is_kept_until_the_dns_names_another_claim_in_its_place(
    venue: Venue,
) -> None:
    other, domain = make_venue(venue.database), name()
    claim(venue, domain)
    read(venue, "verified")
    claim(other, domain)
    # Both stand there: who has it keeps it.
    assert not prove(other, seen(venue)["proof"])
    assert (sender(venue), sender(other)) == (f"bookings@{domain}", None)
    # The name has another owner, who sets another record in place of the first.
    known = seen(venue)["provider_id"]
    assert prove(other)
    assert sender(venue) is None
    lost = seen(venue)
    assert (lost["status"], lost["provider_id"], lost["proven_at"]) == ("failed", None, None)
    assert venue.database.one(
        "select count(*) from private.jobs where kind = 'sender.remove'"
        " and payload ->> 'provider_id' = %s",
        known,
    ) == 1  # fmt: skip
    # What a reading that was under way says of the former holder counts no more.
    with venue.does("sender.read", sender_domain_id=str(lost["id"])) as lease:
        told = {"provider_id": known, "status": "verified", "records": Jsonb([])}
        assert venue.service.call("service.record_sender_domain", **lease, **told) is False
    assert sender(venue) is None
    read(other, "verified")
    assert sender(other) == f"bookings@{domain}"
    assert not prove(venue, seen(other)["proof"])


def test_of_two_claims_that_are_proven_at_once_one_has_the_domain(venue: Venue) -> None:
    other, domain = make_venue(venue.database), name()
    claim(venue, domain)
    claim(other, domain)
    claims = [seen(venue), seen(other)]
    proofs = [row["proof"] for row in claims]

    def prove_it(service: Client, lease: dict[str, Any]) -> Any:
        return service.call("service.prove_sender_domain", **lease, proofs=proofs)

    with (
        venue.does("sender.read", sender_domain_id=str(claims[0]["id"])) as first,
        other.does("sender.read", sender_domain_id=str(claims[1]["id"])) as second,
        venue.database.clients(SERVICE, SERVICE) as clients,
        ThreadPoolExecutor(2) as pool,
    ):
        proven = list(pool.map(prove_it, clients, (first, second)))
    assert sorted(proven) == [False, True]
    holders = "select count(*) from public.sender_domains where domain = %s and proven_at notnull"
    assert venue.database.one(holders, domain) == 1


def test_of_several_domains_the_newest_that_is_verified_is_used(venue: Venue) -> None:
    first, second, third = name(), name(), name()
    claim(venue, first)
    read(venue, "verified")
    claim(venue, second)
    assert sender(venue) == f"bookings@{first}"
    venue.database.run(
        "update public.sender_domains set status = 'verified', proven_at = now() where domain = %s",
        second,
    )
    assert sender(venue) == f"bookings@{second}"
    claim(venue, third)
    with pytest.raises(Refused, match="too_many_rows"):
        claim(venue, name())


def test_a_domain_that_was_given_up_while_it_was_made_is_not_kept(venue: Venue) -> None:
    claim(venue, name())
    with venue.does("sender.read", sender_domain_id=str(seen(venue)["id"])) as lease:
        venue.owner.change("delete from public.sender_domains")
        assert venue.service.call("service.read_sender_domain", **lease) is None
        told = {"provider_id": "d_1", "status": "pending", "records": Jsonb([])}
        assert venue.service.call("service.record_sender_domain", **lease, **told) is False


def test_who_has_lost_the_lease_says_nothing_of_a_domain_and_doubts_none(venue: Venue) -> None:
    used, spare = name(), name()
    for domain in (spare, used):
        claim(venue, domain)
    venue.database.run(
        "update public.sender_domains set status = 'verified', proven_at = now(),"
        " provider_id = 'd_' || id where organization_id = %s",
        venue.organization_id,
    )
    kept = "select domain, status, provider_id, proven_at, records from public.sender_domains"
    before = venue.owner.select(f"{kept} order by domain")
    [row] = venue.owner.select(
        "select id, proof from public.sender_domains where domain = %s", used
    )
    about, told = {"sender_domain_id": str(row["id"])}, {"records": Jsonb([]), "status": "failed"}

    def all_that_is_said(lease: dict[str, Any]) -> None:
        service = venue.service
        assert service.call("service.read_sender_domain", **lease) is None
        assert not service.call("service.prove_sender_domain", **lease, proofs=[row["proof"]])
        service.call("service.record_sender_domain", **lease, provider_id="d_theirs", **told)
        service.call("service.doubt_sender_domain", **lease)

    with venue.does("sender.read", **about) as lease:
        all_that_is_said({**lease, "lease_token": str(uuid.uuid4())})
    booking = venue.hold()
    venue.pay(booking)
    mail = {"booking_id": booking.id, "template": "booking_confirmed"}
    with venue.does("email.send", **mail) as lease:
        all_that_is_said({**lease, "lease_token": str(uuid.uuid4())})
        assert venue.owner.select(f"{kept} order by domain") == before
        # Whose lease holds: of the domains of this venue the one that the mail came from.
        venue.service.call("service.doubt_sender_domain", **lease)
    failed = venue.owner.select("select domain from public.sender_domains where status = 'failed'")
    assert [each["domain"] for each in failed] == [used]
    # A job of another kind is no lease of these.
    with venue.does("email.send", **about) as lease:
        assert venue.service.call("service.read_sender_domain", **lease) is None
        assert not venue.service.call("service.prove_sender_domain", **lease, proofs=[])
