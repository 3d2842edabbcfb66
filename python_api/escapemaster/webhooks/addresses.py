"""Which addresses a venue's webhook may lead to: those of the public internet.

Written out rather than left to `ipaddress.is_global`, whose lists differ between versions of
Python. IPv6 is the other way round: only what is handed out (2000::/3), without what in it is
special or carries an IPv4 address.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

#: https://www.iana.org/assignments/iana-ipv4-special-registry, and what is no host's.
_SPECIAL_IPV4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT; one cloud's metadata is there
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; most clouds' metadata is there
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",  # looks public: what Azure's machines ask about themselves
    )
)
_PUBLIC_IPV6: Final = IPv6Network("2000::/3")
#: https://www.iana.org/assignments/iana-ipv6-special-registry, as far as it is in 2000::/3.
_SPECIAL_IPV6: Final = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # Teredo among others
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address, perhaps a private one
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


def is_public(address: str) -> bool:
    """Whether a resolved address is one of the public internet.

    Args:
        address: As `getaddrinfo` gives it, with a zone or without.
    """
    found = _parsed(address)
    if isinstance(found, IPv4Address):
        return not any(found in block for block in _SPECIAL_IPV4)
    if found is None or found.scope_id is not None:
        return False
    return found in _PUBLIC_IPV6 and not any(found in block for block in _SPECIAL_IPV6)


def is_loopback(address: str) -> bool:
    """Whether it is this machine's own: 127.0.0.0/8 or ::1."""
    found = _parsed(address)
    return found is not None and found.is_loopback


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None
