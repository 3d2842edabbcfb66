"""Who comes, and what the venue should know: tags on bookings to come, the lists of two parties."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from escapemaster_dev.seed.bookings import Booked
from escapemaster_dev.seed.catalogue import OpenVenue
from escapemaster_dev.seed.clients import Client

#: By the venue's language: the tags of its list, with the colours that its screens show.
TAGS = {
    "es": (("Cumpleaños", "#d6336c"), ("Empresa", "#1971c2"), ("Colegio", "#2f9e44")),
    "en": (("Birthday", "#d6336c"), ("Company", "#1971c2"), ("School", "#2f9e44")),
    "ca": (("Aniversari", "#d6336c"), ("Empresa", "#1971c2"), ("Escola", "#2f9e44")),
}
#: Every so many bookings to come have a tag.
_TAGGED = 4
#: Who comes along, as far as somebody wrote it down.
FRIENDS = ("Nil Ferrer", "Lola Prats", "Iker Sanz", "Vera Luna", "Hugo Mas", "Noa Gil")


def tag_and_list(opened: OpenVenue, visitor: Client, coming: Sequence[Booked]) -> None:
    """Tag some of what is to come; one list is the customer's, one the desk's, who was paid."""
    manager, desk = opened.staff["manager"], opened.staff["receptionist"]
    tags = manager.insert(
        "tags", [{"name": name, "color": color} for name, color in TAGS[opened.venue.locale]]
    )
    soon = sorted(coming, key=lambda one: (one.visit.takes_place_at, one.reference))
    for turn, one in enumerate(soon[::_TAGGED]):
        desk.rows(
            "select from public.set_booking_tags(%(organization)s, %(booking)s, %(tags)s::uuid [])",
            {
                "organization": opened.organization_id,
                "booking": one.booking_id,
                "tags": [tags[turn % len(tags)]],
            },
        )
    by_link, at_desk = [one for one in soon if one.visit.party > 1][:2]
    visitor.call(
        "set_party",
        reference=by_link.reference,
        manage_token=by_link.manage_token,
        people=_people(by_link),
    )
    desk.call(
        "set_booking_people",
        organization_id=opened.organization_id,
        booking_id=at_desk.booking_id,
        people=_people(at_desk, pays=True),
    )


def _people(one: Booked, *, pays: bool = False) -> Jsonb:
    """Who booked and, but for the last, who comes along; the first of them has paid."""
    names = (one.visit.guest, *FRIENDS)[: max(one.visit.party - 1, 1)]
    people: list[dict[str, object]] = [{"full_name": name} for name in names]
    people[0] |= {"email": one.visit.email, "phone": one.visit.phone}
    if pays:
        people[0]["paid"] = True
    return Jsonb(people)
