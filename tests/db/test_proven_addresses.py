"""An address proves nothing until a message to it came back, whatever Auth's settings are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from client import Client
from db.auth_world import Auth
from db.booking_world import GUEST, Shop, open_shop
from matrix.house import House, Venue
from matrix.promises import refused

VICTIM = "victim@example.test"


@pytest.fixture
def auth(house: House) -> Auth:
    return Auth(house)


@pytest.fixture
def careless(house: House) -> Auth:
    """Auth with confirmations off."""
    return Auth(house, confirms=False)


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0)


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
    return room


def proven(auth: Auth, user_id: str) -> str | None:
    """What every use of an address asks."""
    email: str | None = auth.house.one("select private.proven_email(%s)", user_id)
    return email


# How an address is proven.


def test_a_sign_up_proves_nothing_until_its_link_is_opened(auth: Auth) -> None:
    user = auth.sign_up(VICTIM)
    assert proven(auth, user) is None
    auth.open_confirmation(user)
    assert proven(auth, user) == VICTIM


def test_the_local_stack_s_two_steps_prove_the_same(auth: Auth) -> None:
    user = auth.sign_up(VICTIM)
    auth.open_confirmation_locally(user)
    assert proven(auth, user) == VICTIM


def test_without_confirmations_a_sign_up_proves_nothing(careless: Auth) -> None:
    user = careless.sign_up(VICTIM)
    assert proven(careless, user) is None


@pytest.mark.parametrize("settings", ["auth", "careless"])
def test_a_sign_in_link_proves_the_address_when_it_is_opened(
    settings: str, request: pytest.FixtureRequest
) -> None:
    auth: Auth = request.getfixturevalue(settings)
    user = auth.sign_up(VICTIM)
    auth.ask_for_link(user)
    assert proven(auth, user) is None
    auth.open_link(user)
    assert proven(auth, user) == VICTIM


def test_a_link_that_was_mailed_and_a_new_password_prove_nothing(careless: Auth) -> None:
    user = careless.sign_up(VICTIM)
    careless.ask_for_link(user)
    careless.change_password(user, "mine")
    assert proven(careless, user) is None


def test_an_administrator_s_word_is_no_mail(auth: Auth) -> None:
    assert proven(auth, auth.create_as_administrator(VICTIM)) is None


def test_an_invitation_by_an_administrator_is_proven_by_its_link(auth: Auth) -> None:
    user = auth.invite_as_administrator(VICTIM)
    assert proven(auth, user) is None
    auth.open_invitation(user)
    assert proven(auth, user) == VICTIM


def test_what_a_user_writes_of_oneself_proves_nothing(careless: Auth) -> None:
    # sign_up writes email_verified into raw_user_meta_data and into Auth's own identity.
    user = careless.sign_up(VICTIM)
    assert proven(careless, user) is None


# Identity providers.


def test_a_provider_vouches_for_the_address_that_it_verified(auth: Auth) -> None:
    user = auth.create_as_administrator(VICTIM)
    auth.sign_in_with(user, "google", VICTIM.title(), verified=True)
    assert proven(auth, user) == VICTIM


@pytest.mark.parametrize(
    ("provider", "email", "verified"),
    [
        ("keycloak", VICTIM, False),
        ("google", "another@example.test", True),
        ("sso:5d0a3f2e", VICTIM, True),
        ("phone", VICTIM, True),
    ],
)
@pytest.mark.parametrize("settings", ["auth", "careless"])
def test_other_providers_do_not(
    settings: str, provider: str, email: str, verified: bool, request: pytest.FixtureRequest
) -> None:
    auth: Auth = request.getfixturevalue(settings)
    user = auth.create_as_administrator(VICTIM)
    auth.sign_in_with(user, provider, email, verified=verified)
    assert proven(auth, user) is None


# Changed addresses.


@pytest.mark.parametrize("halves", [("current", "new"), ("new",)])
def test_a_changed_address_is_proven_by_the_mail_to_it(auth: Auth, halves: tuple[str, ...]) -> None:
    user = auth.sign_up("own@example.test")
    auth.open_confirmation(user)
    auth.change_email(user, VICTIM, both=len(halves) == 2)
    assert proven(auth, user) == "own@example.test"
    auth.open_change(user, *halves)
    assert proven(auth, user) == VICTIM


def test_who_finishes_a_change_by_the_mail_to_the_former_address_has_not_proven_the_new_one(
    auth: Auth,
) -> None:
    user = auth.sign_up("own@example.test")
    auth.open_confirmation(user)
    auth.change_email(user, VICTIM)
    # A scanner opens the new address's link, and the session goes to whoever opens the other.
    auth.open_change(user, "new", "current")
    with refused(403, "email_not_proven"):
        auth.session(user, by="otp").call("my_bookings")
    auth.ask_for_link(user)
    auth.open_link(user)
    assert proven(auth, user) == VICTIM


def test_the_local_stack_s_change_proves_the_new_address_only_by_its_own_mail(auth: Auth) -> None:
    user = auth.sign_up("own@example.test")
    auth.open_confirmation(user)
    auth.change_email(user, VICTIM)
    auth.open_change_locally(user, "current")
    assert proven(auth, user) is None

    other = auth.sign_up("other@example.test")
    auth.change_email(other, "new@example.test")
    auth.open_change_locally(other, "new")
    assert proven(auth, other) == "new@example.test"


def test_without_confirmations_a_changed_address_proves_nothing(auth: Auth, careless: Auth) -> None:
    user = auth.sign_up("own@example.test")
    auth.open_confirmation(user)
    careless.change_email(user, VICTIM)
    assert proven(auth, user) is None
    careless.change_email(user, "own@example.test")
    assert proven(auth, user) == "own@example.test"


def test_a_link_mailed_to_the_former_address_proves_nothing_of_the_new_one(
    auth: Auth, careless: Auth
) -> None:
    user = auth.sign_up("own@example.test")  # its link is in one's own mailbox
    careless.change_email(user, VICTIM)
    auth.open_confirmation(user)
    assert proven(auth, user) is None

    other = careless.sign_up("other@example.test")
    careless.ask_for_link(other)
    careless.change_email(other, "second_victim@example.test")
    careless.open_link(other)
    assert proven(auth, other) is None


@pytest.mark.parametrize("typed", ["victim+tag@example.test", "v.ictim@example.test"])
def test_a_similar_address_is_another(auth: Auth, shop: Shop, room: str, typed: str) -> None:
    shop.hold(room, shop.at(1), customer={**GUEST, "email": VICTIM})
    user = auth.sign_up(typed)
    auth.open_confirmation(user)
    assert auth.session(user).call("my_bookings") == []


def test_the_case_of_letters_makes_no_difference(auth: Auth, shop: Shop, room: str) -> None:
    booking = shop.hold(room, shop.at(1), customer={**GUEST, "email": "Victim@Example.test"})
    user = auth.sign_up("VICTIM@example.test")
    auth.house.connection.execute(
        "update auth.users set email = 'VICTIM@example.test' where id = %s", [user]
    )
    auth.ask_for_link(user)
    auth.open_link(user)
    (mine,) = auth.session(user).call("my_bookings")
    assert mine["reference"] == booking["reference"]


# What is handed out by address.


def uses(venue: Venue) -> dict[str, Callable[[Client], object]]:
    """Each function that hands out something by address."""
    _, token = venue.invite(VICTIM, venue.role("admin"))
    return {
        "my_bookings": lambda person: person.call("my_bookings"),
        "my_booking_token": lambda person: person.call(
            "my_booking_token", booking_id="00000000-0000-7000-8000-000000000000"
        ),
        "accept_invitation": lambda person: person.call("accept_invitation", token=token),
    }


@pytest.mark.parametrize("settings", ["auth", "careless"])
@pytest.mark.parametrize("use", ["my_bookings", "my_booking_token", "accept_invitation"])
def test_nothing_is_handed_out_to_an_account_whose_address_is_not_proven(
    settings: str, use: str, shop: Shop, room: str, request: pytest.FixtureRequest
) -> None:
    auth: Auth = request.getfixturevalue(settings)
    before = auth.sign_up(VICTIM)  # made before the booking
    shop.hold(room, shop.at(1), customer={**GUEST, "email": VICTIM})
    with refused(403, "email_not_proven"):
        uses(shop.venue)[use](auth.session(before))
    assert shop.venue.role_of(auth.token(before)) is None


def test_the_owner_of_an_address_gets_a_booking_s_token_one_at_a_time(
    auth: Auth, shop: Shop, room: str
) -> None:
    booking = shop.hold(room, shop.at(1), customer={**GUEST, "email": VICTIM})
    another = shop.hold(room, shop.at(2))
    user = auth.sign_up(VICTIM)
    auth.open_confirmation(user)
    person = auth.session(user)

    (mine,) = person.call("my_bookings")
    assert "manage_token" not in mine
    link = person.call("my_booking_token", booking_id=mine["id"])
    assert shop.look(link)["reference"] == booking["reference"]

    with refused(404, "booking_not_found"):
        person.call("my_booking_token", booking_id=shop.id_of(another))
    shop.visitor.call(
        "cancel_booking", reference=link["reference"], manage_token=link["manage_token"]
    )
    with refused(404, "booking_not_found"):
        person.call("my_booking_token", booking_id=mine["id"])


# What existed before the proof.


@pytest.mark.parametrize("ago", [0, 1, 3600])
def test_sessions_from_before_the_proof_end_with_it(careless: Auth, house: House, ago: int) -> None:
    venue = house.open_venue("Venue")
    user = careless.sign_up(VICTIM)
    stranger = careless.session(user, by="password", ago=ago)
    assert stranger.call("my_context")["user"]["email"] == VICTIM
    _, token = venue.invite(VICTIM, venue.role("admin"))

    careless.ask_for_link(user)
    careless.open_link(user)
    owner = careless.session(user)
    owner.call("accept_invitation", token=token)

    assert owner.call("my_context")["active_organization_id"] == venue.id
    for call in (
        lambda: stranger.call("my_context"),
        lambda: stranger.call("accept_invitation", token=token),
        lambda: stranger.at(venue.id).select("select from public.memberships"),
        lambda: stranger.call("has_permission", permission="users:read"),
        # PostgREST asks this before anything else.
        lambda: stranger.call("private.check_request"),
    ):
        with refused(401, "session_ended"):
            call()
    left = careless.house.connection.execute(
        "select id::text from auth.sessions where user_id = %s", [user]
    ).fetchall()
    assert left == [(owner.caller.claims["session_id"],)]


def test_a_token_refreshed_after_the_proof_is_still_the_old_session_s(
    careless: Auth,
) -> None:
    user = careless.sign_up(VICTIM)
    session_id = careless.session(user).caller.claims["session_id"]
    careless.ask_for_link(user)
    careless.open_link(user)
    with refused(401, "session_ended"):
        careless.token(user, session_id=session_id, iat=4102444800).call("my_context")


@pytest.mark.parametrize(
    "claims", [{}, {"iat": 1}, {"session_id": "00000000-0000-4000-8000-0000000000aa"}]
)
def test_a_token_that_names_no_living_session_must_be_signed_after_the_proof(
    careless: Auth, claims: dict[str, object]
) -> None:
    user = careless.sign_up(VICTIM)
    careless.ask_for_link(user)
    careless.open_link(user)
    with refused(401, "session_ended"):
        careless.token(user, **claims).call("my_context")
    careless.token(user, **{**claims, "iat": 4102444800}).call("my_context")


def test_a_session_from_after_the_proof_is_good_whatever_the_clocks_say(auth: Auth) -> None:
    user = auth.sign_up(VICTIM)
    auth.open_confirmation(user)
    # Auth's clock is two seconds behind the database's.
    auth.session(user, ago=2).call("my_bookings")


def test_proving_the_same_address_again_ends_nothing(auth: Auth) -> None:
    user = auth.sign_up(VICTIM, "a stranger's")
    auth.ask_for_link(user)
    auth.open_link(user)
    auth.change_password(user, "chosen")
    phone = auth.session(user, by="password")
    auth.ask_for_link(user)
    auth.open_link(user)
    phone.call("my_bookings")
    assert auth.password(user) == "chosen"


@pytest.mark.parametrize("settings", ["auth", "careless"])
def test_a_stranger_s_password_ends_when_a_mailed_link_is_the_first_proof(
    settings: str, request: pytest.FixtureRequest
) -> None:
    auth: Auth = request.getfixturevalue(settings)
    user = auth.sign_up(VICTIM, "the stranger's")
    auth.ask_for_link(user)
    auth.open_link(user)
    assert auth.password(user) == ""


def test_a_stranger_s_password_ends_when_a_provider_vouches(careless: Auth) -> None:
    user = careless.sign_up(VICTIM, "the stranger's")
    careless.sign_in_with(user, "google", VICTIM, verified=True)
    assert careless.password(user) == ""


def test_the_password_of_a_sign_up_stays_when_its_own_mail_comes_back(auth: Auth) -> None:
    user = auth.sign_up(VICTIM, "chosen")
    auth.open_confirmation(user)
    assert auth.password(user) == "chosen"


def test_a_change_of_address_that_was_asked_for_before_the_proof_is_void(
    auth: Auth, careless: Auth
) -> None:
    user = careless.sign_up(VICTIM)
    auth.change_email(user, "stranger@example.test")
    auth.ask_for_link(user)
    auth.open_link(user)
    row = auth.house.connection.execute(
        "select email_change_token_current, email_change_token_new from auth.users where id = %s",
        [user],
    ).fetchone()
    assert row == ("", "")


def test_the_operator_can_vouch_for_an_address_and_ends_no_session(auth: Auth) -> None:
    user = auth.create_as_administrator(VICTIM)
    session = auth.session(user)
    auth.house.owner_sql("select private.vouch_for_address(%s)", user)
    assert session.call("my_bookings") == []


def test_nobody_else_can(auth: Auth) -> None:
    user = auth.create_as_administrator(VICTIM)
    for caller in (auth.session(user), auth.house.service, auth.house.nobody):
        with pytest.raises(Exception, match="permission denied"):
            caller.call("private.vouch_for_address", user_id=user)


# What a mail that nobody asked to sign in by does not prove: who chose the password.


@pytest.fixture
def scanned(auth: Auth) -> str:
    """An account that a stranger made, and whose mail a scanner opened."""
    user = auth.sign_up(VICTIM, "the stranger's")
    auth.sign_in_with(user, "keycloak", "stranger@example.test", verified=True)
    auth.open_confirmation(user)
    return user


@pytest.fixture
def moved(auth: Auth) -> str:
    """A stranger's own account with the victim's address, whose mail a scanner opened."""
    user = auth.sign_up("stranger@example.test")
    auth.ask_for_link(user)
    auth.open_link(user)
    auth.change_password(user, "the stranger's")
    auth.sign_in_with(user, "google", "stranger@example.test", verified=True)
    auth.change_email(user, VICTIM)
    auth.open_change(user, "current", "new")
    return user


@pytest.mark.parametrize("account", ["scanned", "moved"])
def test_a_scanner_that_opens_the_mail_gives_a_stranger_nothing(
    account: str, auth: Auth, shop: Shop, room: str, request: pytest.FixtureRequest
) -> None:
    user: str = request.getfixturevalue(account)
    booking = shop.hold(room, shop.at(1), customer={**GUEST, "email": VICTIM})
    strangers = [auth.session(user, by=way) for way in ("password", "oauth")]
    for stranger in strangers:
        stranger.call("my_context")
        for use in uses(shop.venue).values():
            with refused(403, "email_not_proven"):
                use(stranger)
        with refused(403, "email_not_proven"):
            stranger.call("reset_sign_in")

    # The owner's own link: a forgotten password.
    auth.ask_for_link(user)
    auth.open_link(user)
    owner = auth.session(user)
    (mine,) = owner.call("my_bookings")
    assert mine["reference"] == booking["reference"]
    assert (auth.password(user), auth.providers(user)) == ("", ["email"])
    for stranger in strangers:
        with refused(401, "session_ended"):
            stranger.call("my_context")
    auth.change_password(user, "the owner's")
    assert len(auth.session(user, by="password").call("my_bookings")) == 1


@pytest.mark.parametrize(
    ("methods", "counts"),
    [
        *(
            ([{"method": method}], True)
            for method in ("otp", "magiclink", "recovery", "invite", "email/signup", "email_change")
        ),
        ([{"method": "totp"}, {"method": "otp"}], True),
        *(
            ([{"method": method}], False)
            for method in ("password", "oauth", "sso/saml", "anonymous", "web3", "passkey", "totp")
        ),
        ([{"method": "otp"}, {"method": "password"}], False),
        ([{}], False),
        ([], False),
        (None, False),
        ("otp", False),
        (["otp"], False),
    ],
)
def test_only_a_session_that_a_mail_opened_counts(
    auth: Auth, methods: object, counts: bool
) -> None:
    user = auth.sign_up(VICTIM)
    auth.sign_in_with(user, "keycloak", "stranger@example.test", verified=True)
    auth.open_confirmation(user)
    session_id = auth.session(user).caller.claims["session_id"]
    person = auth.token(user, session_id=session_id, amr=methods)
    if counts:
        person.call("my_bookings")
    else:
        with refused(403, "email_not_proven"):
            person.call("my_bookings")


def test_a_code_by_telephone_is_no_mail(auth: Auth, scanned: str) -> None:
    auth.house.connection.execute(
        "update auth.users set phone = '34600000000' where id = %s", [scanned]
    )
    with refused(403, "email_not_proven"):
        auth.session(scanned).call("my_bookings")
    auth.ask_for_link(scanned)
    auth.open_link(scanned)
    auth.session(scanned).call("my_bookings")
    assert auth.house.one("select phone from auth.users where id = %s", scanned) is None


@pytest.mark.parametrize("again", [0, 1])
def test_whoever_signed_up_first_does_not_keep_the_password(auth: Auth, again: int) -> None:
    # The owner asks for a link or signs up, too: Auth keeps the first password.
    user = auth.sign_up(VICTIM, "the stranger's")
    for _ in range(again):
        auth.mail_confirmation_again(user)
    auth.open_confirmation(user)
    owner = auth.session(user)
    stranger = auth.session(user, by="password")

    owner.call("reset_sign_in")
    assert auth.password(user) == ""
    with refused(401, "session_ended"):
        stranger.call("my_context")
    auth.change_password(user, "the owner's")
    # A repeated wish ends nothing, in whatever session.
    mine = auth.session(user, by="password")
    owner.call("reset_sign_in")
    mine.call("reset_sign_in")
    assert auth.password(user) == "the owner's"
    assert (mine.call("my_bookings"), owner.call("my_bookings")) == ([], [])


def test_an_account_that_has_proven_nothing_cannot_reset_its_sign_in(careless: Auth) -> None:
    user = careless.sign_up(VICTIM)
    with refused(403, "email_not_proven"):
        careless.session(user).call("reset_sign_in")


def test_a_provider_that_vouches_later_ends_the_stranger_s_ways_in(
    auth: Auth, scanned: str
) -> None:
    stranger = auth.session(scanned, by="password")
    auth.sign_in_with(scanned, "google", VICTIM, verified=True)
    assert (auth.password(scanned), auth.providers(scanned)) == ("", ["email", "google"])
    with refused(401, "session_ended"):
        stranger.call("my_context")
    auth.session(scanned, by="oauth").call("my_bookings")


@pytest.mark.parametrize("account", ["scanned", "moved"])
def test_accepting_an_invitation_keeps_nothing_from_before(
    account: str, auth: Auth, house: House, request: pytest.FixtureRequest
) -> None:
    user: str = request.getfixturevalue(account)
    venue = house.open_venue("Venue")
    _, token = venue.invite(VICTIM, venue.role("admin"))
    stranger, owner = auth.session(user, by="password"), auth.session(user)
    owner.call("accept_invitation", token=token)
    assert owner.call("my_context")["active_organization_id"] == venue.id
    assert (auth.password(user), auth.providers(user)) == ("", ["email"])
    for client in (stranger, auth.session(user, by="password"), auth.session(user, by="oauth")):
        # The later two: sign-ins that were under way when the password and the identity ended.
        with refused(401, "session_ended"):
            client.call("my_context")


def test_who_has_reset_the_sign_in_keeps_the_password_when_accepting(
    auth: Auth, house: House, scanned: str
) -> None:
    first, second = house.open_venue("First"), house.open_venue("Second")
    owner = auth.session(scanned)
    owner.call("reset_sign_in")
    auth.change_password(scanned, "the owner's")
    phone = auth.session(scanned, by="password")
    owner.call("accept_invitation", token=first.invite(VICTIM, first.role("admin"))[1])
    assert auth.password(scanned) == "the owner's"
    with refused(401, "session_ended"):  # the first membership of an account
        phone.call("my_context")
    phone = auth.session(scanned, by="password")
    owner.call("accept_invitation", token=second.invite(VICTIM, second.role("admin"))[1])
    phone.call("my_context")


def test_what_hosted_auth_keeps_elsewhere_ends_too(auth: Auth, scanned: str) -> None:
    auth.house.connection.execute(
        "insert into auth.flow_state (id, user_id, auth_code, authentication_method, provider_type,"
        " auth_code_issued_at) values (gen_random_uuid(), %s, 'x', 'magiclink', 'email', now())",
        [scanned],
    )
    tables = ["one_time_tokens", "mfa_factors", "webauthn_credentials"]
    for table in tables:
        auth.house.connection.execute(
            f"create table auth.{table} (user_id uuid);"
            f" grant select, delete on auth.{table} to postgres".encode()
        )
        auth.house.connection.execute(f"insert into auth.{table} values (%s)".encode(), [scanned])
    auth.session(scanned).call("reset_sign_in")
    for table in ("flow_state", *tables):
        assert auth.house.one(f"select count(*) from auth.{table}") == 0


def test_the_operator_s_word_trusts_the_sign_in(auth: Auth, scanned: str) -> None:
    auth.house.owner_sql("select private.vouch_for_address(%s)", scanned)
    auth.session(scanned, by="password").call("my_bookings")
    assert auth.password(scanned) == "the stranger's"
