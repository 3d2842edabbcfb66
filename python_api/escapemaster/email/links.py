"""The links in mails. Secrets are in the fragment, which browsers send to nobody."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def manage_url(
    public_site_url: str, reference: str, token: str, calendar: str | None = None
) -> str:
    """The link under which a player manages a booking.

    `calendar` is the slug that the page shows beside the booking, so that "book another" leads back
    to the same venue.
    """
    return with_secret(calendar_url(public_site_url, calendar, reference=reference), token)


def leave_url(public_site_url: str, calendar: str | None, token: str) -> str:
    """The link under which somebody leaves the waiting list, as the widget takes it."""
    return with_secret(calendar_url(public_site_url, calendar, waitlist="leave"), token)


def check_in_url(public_site_url: str, calendar: str | None, code: str) -> str:
    """What a party's picture says: the code that staff resolve, behind an address of the venue."""
    return with_secret(calendar_url(public_site_url, calendar), code, "check_in")


def unsubscribe_url(service_url: str | None, token: str, language: str) -> str:
    """The link that ends requests, which mail programs open themselves; empty without a service.

    Its secret is in the query, since a program that posts to it sends no fragment. It can do
    nothing else.
    """
    if service_url is None:
        return ""
    return f"{service_url}/v1/unsubscribe?{urlencode({'token': token, 'lang': language})}"


def calendar_url(
    public_site_url: str, calendar: str | None, *, reference: str | None = None, **parameters: str
) -> str:
    """Where a visitor books, or whatever else the page shows with these parameters."""
    parts = urlsplit(public_site_url)
    more = {
        **({"reference": reference} if reference else {}),
        **({"calendar": calendar} if calendar else {}),
        **parameters,
    }
    query = [*parse_qsl(parts.query), *more.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))


def with_secret(address: str, secret: str, name: str = "token") -> str:
    """A link with its secret."""
    return f"{address}#{urlencode({name: secret})}"


def notice_link_url(service_url: str | None, token: str, language: str) -> str:
    """The link that begins or ends the notices to an address; empty without a service.

    Its secret is in the query, as that of `unsubscribe_url` is.
    """
    if service_url is None:
        return ""
    return f"{service_url}/v1/notices?{urlencode({'token': token, 'lang': language})}"
