"""The people of the matrix."""

from __future__ import annotations

from dataclasses import dataclass

from client import ANON, SERVICE, Caller
from matrix.expectations import Expectations
from matrix.world import CLOSED, EVERYWHERE, FROZEN, NORTH, SOUTH, Facts

PERSON, KEY, NOT_SIGNED_IN = "person", "key", "not signed in"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who tries everything.

    Attributes:
        name: What failures call it, and what exceptions in expectations.toml name.
        kind: A group of actors that exceptions may name: role, without, key or other.
        caller: Role and claims.
        tenant: The venue whose rows it is after, and which its requests name in the header.
        holds: The permissions that it holds there now.
        grants: What it could pass on.
        suspended: Whether that venue is suspended.
        session_ended: Whether the session is from before the account proved its address.
        in_person: Signed in, and no API key.
    """

    name: str
    kind: str
    caller: Caller
    tenant: str
    holds: frozenset[str]
    grants: frozenset[str]
    suspended: bool = False
    session_ended: bool = False

    @property
    def in_person(self) -> bool:
        """Whether somebody has signed in, other than an API key."""
        return self.caller.role == "authenticated" and self.kind != "key"


def cast(facts: Facts, expected: Expectations) -> list[Actor]:
    """Everybody, in the order of the issue; then each permission alone and all but each."""
    people = facts[EVERYWHERE]
    nothing: frozenset[str] = frozenset()

    def person(
        name: str, user_id: str, holds: frozenset[str] = nothing, tenant: str = NORTH
    ) -> Actor:
        kind = "role" if holds else "other"
        return Actor(name, kind, Caller.person(user_id), tenant, holds, holds)

    named = [
        person(role, people[role], expected.held_by(role))
        for role in ("owner", "admin", "manager", "receptionist", "game_master")
    ]
    everything, managing = expected.held_by("owner"), expected.held_in_visits_by("manager")
    north, south = facts[NORTH], facts[SOUTH]
    named += [
        # The owner of another tenant, who names this one in the header.
        person("stranger", south["owner"]),
        person("suspended", people["suspended"]),
        person("former", people["former"]),
        # Suspended, and left while it lasted.
        person("barred", north["barred"]),
        person("player", people["player"]),
        # Has the address of somebody who is invited, and no mail to it came back.
        person("unproven", people["unproven"]),
        # Proven by a mail that a scanner opened, and signed in with the password from before it.
        person("scanned", people["scanned"]),
        # An administrator with a token from before the account proved its address.
        Actor(
            "outlived",
            "other",
            Caller.person(people["outlived"], session_id=people["outlived_session"]),
            NORTH,
            expected.held_by("admin"),
            expected.held_by("admin"),
            session_ended=True,
        ),
        person("operator", people["operator"]),
        Actor("visitor", "other", Caller.person(people["visitor"]), NORTH, managing, nothing),
        person("past_visitor", people["past_visitor"]),
        Actor(
            "frozen",
            "other",
            Caller.person(facts[FROZEN]["owner"]),
            FROZEN,
            everything,
            everything,
            suspended=True,
        ),
        person("closed", facts[CLOSED]["owner"], tenant=CLOSED),
        Actor("anon", "other", ANON, NORTH, nothing, nothing),
        Actor("service_role", "other", SERVICE, NORTH, nothing, nothing),
        Actor(
            "foreign_key",
            "key",
            Caller.api_key(south["api_key"], south["organization"]),
            NORTH,
            nothing,
            nothing,
        ),
        # The claims of another tenant's key with this tenant's name in them.
        Actor(
            "confused_key",
            "key",
            Caller.api_key(south["api_key"], north["organization"]),
            NORTH,
            nothing,
            nothing,
        ),
    ]
    for permission in expected.permissions:
        key_id = people[f"key:{permission}"]
        caller = Caller.api_key(key_id, north["organization"])
        named.append(
            Actor(f"key:{permission}", "key", caller, NORTH, frozenset({permission}), nothing)
        )
        rest = everything - {permission}
        caller = Caller.person(people[f"without:{permission}"])
        named.append(Actor(f"without:{permission}", "without", caller, NORTH, rest, rest))
    return named


def is_named(actor: Actor) -> bool:
    """Whether the actor is one of the issue's, not one of those made for each permission."""
    return ":" not in actor.name
