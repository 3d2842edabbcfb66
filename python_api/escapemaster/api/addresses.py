"""Where a request comes from."""

from __future__ import annotations

from fastapi import Request


def client_address(request: Request, trusted_proxy_count: int) -> str:
    """The client's address, for rate limits.

    Every proxy adds the address that it heard to the end of `x-forwarded-for`; what stands before
    is the client's own claim. So with n proxies of ours it is the n-th from the end.

    Args:
        request: The request.
        trusted_proxy_count: How many proxies of ours stand before this service. 0: the address is
            the connection's.
    """
    if trusted_proxy_count > 0:
        heard = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        if len(heard) >= trusted_proxy_count and (address := heard[-trusted_proxy_count].strip()):
            return address[:64]
    return request.client.host if request.client else "unknown"
