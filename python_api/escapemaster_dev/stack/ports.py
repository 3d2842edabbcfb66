"""Taken ports are found before anything starts."""

from __future__ import annotations

import socket

from escapemaster_dev.stack.config import Ports
from escapemaster_dev.stack.errors import PortTaken


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface."""
    with socket.socket() as probe:
        # As servers do: a connection of a former server that is still fading away is no reason.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(ports: Ports) -> None:
    """Raise `PortTaken` with every port that is taken and the part that needs it."""
    taken = {part: port for part, port in ports.by_part().items() if not is_free(port)}
    if taken:
        raise PortTaken(taken)
