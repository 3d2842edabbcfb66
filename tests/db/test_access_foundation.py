"""The small helpers that everything stands on: ids, checks, tokens, idempotency, rate limits."""

from __future__ import annotations

import time
from hashlib import sha256
from hmac import HMAC
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import Caller, Client, Refused
from matrix.house import House
from matrix.promises import refused


def test_ids_are_version_7_and_in_order_of_time(house: House) -> None:
    before = time.time_ns() // 1_000_000
    ids = [UUID(str(house.one("select private.uuid_v7()"))) for _ in range(50)]
    after = time.time_ns() // 1_000_000

    assert {i.version for i in ids} == {7}
    assert {i.variant for i in ids} == {UUID(int=0x8000 << 48).variant}
    stamps = [i.int >> 80 for i in ids]
    assert stamps == sorted(stamps)
    # The database's clock is this machine's.
    assert before <= stamps[0] <= stamps[-1] <= after
    assert len({i.int & (1 << 62) - 1 for i in ids}) == 50


@pytest.mark.parametrize(
    ("timezone", "valid"),
    [
        ("Europe/Madrid", True),
        ("America/Argentina/Buenos_Aires", True),
        ("Etc/GMT+3", False),
        ("UTC", True),
        ("CET", False),
        ("EST5EDT", False),
        ("UTC+3", False),
        ("europe/madrid", False),
        ("Europe/Nowhere", False),
        ("Europe/Madrid ", False),
        ("", False),
        (None, None),
    ],
)
def test_a_time_zone_is_a_region_by_its_present_name(
    house: House, timezone: str | None, valid: bool | None
) -> None:
    assert house.one("select private.is_timezone(%s)", timezone) is valid


@pytest.mark.parametrize(
    ("email", "valid"),
    [
        ("ana@example.test", True),
        ("a.b+c@sub.example.test", True),
        ("Ana@example.test", False),
        ("ana@example", False),
        ("ana@example..test", False),
        ("ana@.test", False),
        ("ana@@example.test", False),
        ("ana <ana@example.test>", False),
        ('"ana"@example.test', False),
        ("ana\n@example.test", False),
        ("", False),
        ("x" * 242 + "@example.test", False),
        ("x" * 65 + "@example.test", False),
        ("x" * 64 + "@example.test", True),
    ],
)
def test_an_address_is_plausible_and_in_lower_case(house: House, email: str, valid: bool) -> None:
    assert house.one("select private.is_email(%s)", email) is valid


@pytest.mark.parametrize(
    ("value", "currency", "locale", "slug"),
    [
        ("EUR", True, False, False),
        ("eur", False, False, True),
        ("es", False, True, True),
        ("fr", False, False, True),
        ("EURO", False, False, False),
        ("a-b", False, False, True),
        ("-a", False, False, False),
        ("a-", False, False, False),
        ("", False, False, False),
        ("x" * 63, False, False, True),
        ("x" * 64, False, False, False),
    ],
)
def test_codes_and_slugs_have_their_form(
    house: House, value: str, currency: bool, locale: bool, slug: bool
) -> None:
    assert house.one("select private.is_currency(%s)", value) is currency
    assert house.one("select private.is_locale(%s)", value) is locale
    assert house.one("select private.is_slug(%s)", value) is slug


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=150))
def test_every_name_becomes_a_slug(house: House, name: str) -> None:
    slug = house.one("select private.slugify(%s)", name)
    assert house.one("select private.is_slug(%s)", slug) is True


def test_a_slug_reads_like_the_name(house: House) -> None:
    assert house.one("select private.slugify('La Cárcel del Ñu · Eixample')") == (
        "la-carcel-del-nu-eixample"
    )


def test_tokens_are_random_and_fit_into_an_address(house: House) -> None:
    tokens = {house.one("select private.random_token(32)") for _ in range(50)}
    assert len(tokens) == 50
    assert {len(t) for t in tokens} == {43}
    assert all(
        set(t) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        for t in tokens
    )


def test_a_token_is_kept_as_its_sha_256(house: House) -> None:
    assert house.one("select private.token_hash('tøken')") == sha256("tøken".encode()).digest()


def test_a_derived_token_is_an_hmac_that_only_this_deployment_can_make(house: House) -> None:
    key = house.one("select key from private.signing_keys where name = 'derived_tokens'")
    token = house.one("select private.derived_token('booking', '1')")

    from base64 import urlsafe_b64encode

    mac = HMAC(key, b"booking:1", "sha256").digest()
    assert token == urlsafe_b64encode(mac).decode().rstrip("=")
    assert token != house.one("select private.derived_token('invitation', '1')")
    house.owner_sql("update private.signing_keys set key = extensions.gen_random_bytes(32)")
    assert token != house.one("select private.derived_token('booking', '1')")


def test_a_token_of_an_issuer_that_is_not_listed_is_refused(house: House) -> None:
    ana = house.sign_up("ana")
    asked = "select private.check_request()"

    def naming(issuer: str | None, role: str = "authenticated") -> Client:
        named = {} if issuer is None else {"iss": issuer}
        return Client(house.connection, Caller(role, {**ana.caller.claims, "role": role, **named}))

    naming("https://anybody.test").select(asked)
    house.owner_sql("insert into private.token_issuers values ('https://one.test')")
    for accepted in (naming("https://one.test"), naming(None), house.nobody, house.service):
        accepted.select(asked)
    # What the gateway puts in for its keys names an issuer of its own.
    naming("supabase", "service_role").select(asked)
    naming("supabase", "anon").select(asked)
    for issuer in ("https://two.test", "", "https://one.test/"):
        with refused(401, "token_invalid"):
            naming(issuer).select(asked)


def test_the_same_key_and_request_get_the_same_answer(house: House) -> None:
    begin = "select private.idempotent_begin('o:f', 'k', %s::jsonb)"
    assert house.one(begin, '{"a": 1, "b": 2}') is None
    house.owner_sql("select private.idempotent_end('o:f', 'k', '{\"answer\": 42}')")

    assert house.one(begin, '{"b": 2, "a": 1}') == {"answer": 42}
    with pytest.raises(Exception, match="idempotency_key_reused"):
        house.one(begin, '{"a": 1}')
    assert house.one("select private.idempotent_begin('o:g', 'k', '{}')") is None
    assert house.one("select private.idempotent_begin('p:f', 'k', '{}')") is None


@pytest.mark.parametrize("key", ["", None, "x" * 256])
def test_a_request_needs_a_usable_key(house: House, key: str | None) -> None:
    with pytest.raises(Exception, match="idempotency_key_invalid"):
        house.one("select private.idempotent_begin('o:f', %s, '{}')", key)


def test_a_refusal_carries_status_code_hint_and_details(house: House) -> None:
    person = house.sign_up("ana")
    with refused(418, "teapot") as caught:
        person.select("select private.fail('teapot', 418, 'Brew something else.', '{\"a\": 1}')")
    assert caught.value.hint == "Brew something else."
    assert caught.value.details == {"a": 1}
    with refused(418, "teapot") as bare:
        person.select("select private.fail('teapot', 418, 'Brew something else.')")
    assert bare.value.details is None


def test_the_address_of_a_request_is_the_gateway_s_word(house: House) -> None:
    address = "select private.client_address() as a"
    house.owner_sql("grant execute on function private.client_address() to anon")
    house.owner_sql("grant execute on function private.address_block(text) to anon")
    cases = [
        ({}, None),
        ({"x_forwarded_for": "203.0.113.7, 10.0.0.1"}, "203.0.113.7"),
        ({"x_forwarded_for": " 203.0.113.7"}, "203.0.113.7"),
        ({"x_forwarded_for": ""}, None),
        ({"cf_connecting_ip": "203.0.113.9", "x_forwarded_for": "203.0.113.7"}, "203.0.113.9"),
        ({"cf_connecting_ip": "", "x_forwarded_for": "203.0.113.7"}, "203.0.113.7"),
        ({"cf_connecting_ip": "2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"),
    ]
    for headers, expected in cases:
        assert house.nobody.sending(**headers).select(address) == [{"a": expected}]


def test_a_limit_counts_by_subject_and_says_when_to_come_back(house: House) -> None:
    house.owner_sql(
        "insert into private.rate_limit_rules values ('knock', 'address', 3, 3600, 'x')"
    )
    knock = "select private.limit_rate('knock', 'address', %s)"
    for _ in range(3):
        house.owner_sql(knock, "a")
    with pytest.raises(Exception, match="rate_limited") as caught:
        house.owner_sql(knock, "a")
    refusal = Refused.from_database(caught.value, house.nobody.caller)  # type: ignore[arg-type]
    left = int(refusal.headers["Retry-After"])
    assert refusal.status == 429
    assert 1 <= left <= 3600
    assert house.one(
        "select to_timestamp(ceil(extract(epoch from now()) / 3600) * 3600) - now()"
        " <= make_interval(secs => %s)",
        left,
    )
    house.owner_sql(knock, "b")
    house.owner_sql(knock, None)


def test_a_limit_is_over_with_its_window(house: House) -> None:
    house.owner_sql(
        "insert into private.rate_limit_rules values ('knock', 'address', 1, 3600, 'x')"
    )
    knock = "select private.limit_rate('knock', 'address', 'a')"
    house.owner_sql(knock)
    house.owner_sql(
        "update private.rate_limits set window_start = window_start - interval '1 hour'"
    )
    house.owner_sql(knock)
    with pytest.raises(Exception, match="rate_limited"):
        house.owner_sql(knock)


def test_counters_name_nobody(house: House) -> None:
    house.sign_up("ana").sending(x_forwarded_for="203.0.113.7").call(
        "create_organization", name="Venue"
    )
    with refused(404, "join_code_not_found"):
        house.sign_up("bea").sending(x_forwarded_for="203.0.113.7").call(
            "join_organization", code="SECRET"
        )
    subjects = house.owner_sql("select distinct subject from private.rate_limits")
    assert subjects
    assert all(len(s["subject"]) == 64 for s in subjects)
    assert sha256(b"203.0.113.7").hexdigest() in {s["subject"] for s in subjects}


def test_a_limit_nobody_has_set_is_a_mistake_and_not_no_limit(house: House) -> None:
    with pytest.raises(Exception, match="query returned no rows"):
        house.owner_sql("select private.limit_rate('no_such', 'address', 'a')")
