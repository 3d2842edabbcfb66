"""Does a part answer? Asked over and over while a stack starts, so with nothing but a socket."""

from __future__ import annotations

import http.client
import socket


def answers(port: int, path: str = "/", *, ok_only: bool = False) -> bool:
    """Whether an HTTP server on this port answers (with a 2xx, if `ok_only`)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return 200 <= status < 300 if ok_only else status < 500


def listens(port: int) -> bool:
    """Whether anything takes connections on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
