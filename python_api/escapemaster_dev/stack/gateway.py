"""The gateway: one port for clients, as a hosted project has one address.

It knows paths and keys and no rules: an `apikey` becomes the token of its role where the request
brings no user's token, and everything else is passed on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.credentials import Credentials, write_private

NAME = "gateway"
#: Answered by the gateway itself.
HEALTH_PATH = "/gateway/health"


#: What a client is told when a part does not answer, in PostgREST's form.
UNAVAILABLE = {
    "code": "PT503",
    "message": "unavailable",
    "hint": "Whether it was done is not known: repeat the request with the same idempotency key.",
    "details": "",
}

#: What a client is told of an address that is no percent-encoded UTF-8, or holds NUL.
MALFORMED = {
    "code": "PT400",
    "message": "address_malformed",
    "hint": "Percent-encode the address as UTF-8, without NUL.",
    "details": "",
}

#: What the hosted Storage says of a signature that does not hold.
UNVERIFIED = {"statusCode": "400", "error": "InvalidJWT", "message": "invalid signature"}

#: What the hosted Storage says of a body that is no JSON.
NO_JSON = {"statusCode": "400", "error": "invalid_request", "message": "body is not valid JSON"}

#: What Storage says of a value that the database or the disk cannot take.
ODD_VALUE = {"statusCode": "400", "error": "invalid_request", "message": "a value is out of range"}

#: What Auth says of a path that it does not know.
NO_ROUTE = {"code": 404, "error_code": "not_found", "msg": "404 page not found"}

#: RFC 3629, 4, percent-encoded; raw characters too, but not what stands for a broken one.
_TAIL = "%[89ab][0-9a-f]"
_WELL_FORMED = (
    r"(?i)^([^%\x{FFFD}-\x{FFFE}]"
    r"|%0[1-9a-f]|%[1-7][0-9a-f]"
    rf"|%(c[2-9a-f]|d[0-9a-f]){_TAIL}"
    rf"|%e0%[ab][0-9a-f]{_TAIL}|%e[1-9a-cef]{_TAIL}{_TAIL}|%ed%[89][0-9a-f]{_TAIL}"
    rf"|%f0%[9ab][0-9a-f]{_TAIL}{_TAIL}|%f[1-3]{_TAIL}{_TAIL}{_TAIL}|%f4%8[0-9a-f]{_TAIL}{_TAIL})*$"
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The files that the gateway reads."""

    config: StackConfig

    @property
    def directory(self) -> Path:
        """Its own state."""
        return self.config.home / "gateway"

    @property
    def caddyfile(self) -> Path:
        """Its configuration; holds the keys, so readable by the owner only."""
        return self.directory / "Caddyfile"

    @property
    def public(self) -> Path:
        """Files that it serves to anybody."""
        return self.directory / "public"

    def write(self, credentials: Credentials) -> None:
        """Write the configuration."""
        self.public.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        ports = self.config.ports
        text = Template(files(__package__).joinpath("Caddyfile").read_text()).substitute(
            port=ports.gateway,
            state=_quoted(self.directory / "state"),
            public=_quoted(self.public),
            demo=_quoted(self.config.root / "edge" / "demo"),
            health=HEALTH_PATH,
            unavailable=json.dumps(UNAVAILABLE),
            malformed=json.dumps(MALFORMED),
            unverified=json.dumps(UNVERIFIED),
            no_json=json.dumps(NO_JSON),
            odd_value=json.dumps(ODD_VALUE),
            no_route=json.dumps(NO_ROUTE),
            well_formed=_WELL_FORMED,
            postgrest=ports.postgrest,
            lite=ports.lite,
            edge=ports.edge,
            publishable_key=credentials.publishable_key,
            secret_key=credentials.secret_key,
            anon_jwt=credentials.anon_jwt,
            service_role_jwt=credentials.service_role_jwt,
        )
        write_private(self.caddyfile, text)

    def write_demo_config(self, credentials: Credentials) -> None:
        """Tell the demo page where everything is, and which calendars the seed has made."""
        ports = self.config.ports
        calendars: object = []
        if self.config.demo.exists():
            calendars = json.loads(self.config.demo.read_text()).get("calendars", [])
        (self.public / "config.json").write_text(
            json.dumps(
                {
                    "supabase_url": self.config.gateway_url,
                    "publishable_key": credentials.publishable_key,
                    "service_url": f"http://127.0.0.1:{ports.api}",
                    "mailbox_url": f"http://127.0.0.1:{ports.mailbox}",
                    "calendars": calendars,
                },
                indent=2,
            )
        )


def _quoted(path: Path) -> str:
    return json.dumps(str(path))
