"""The picture that a party shows at the desk: its check-in link as a QR code."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Final

import segno

from escapemaster.email.message import Attachment

#: Pixels a module and modules of quiet zone around (ISO/IEC 18004 asks for four).
_SCALE: Final = 4
_QUIET_ZONE: Final = 4
#: By which the page names it (RFC 2392). One picture a mail.
CONTENT_ID: Final = "check-in"


@lru_cache(maxsize=256)
def check_in_picture(url: str) -> Attachment:
    """The link as a PNG, black on white, in a dark mail too: scanners want it so.

    It comes with the mail and is not fetched: Gmail, Outlook and Apple Mail show it without asking
    their reader, and opening the mail tells nobody anything.
    """
    code = segno.make(url, error="m", micro=False)
    picture = io.BytesIO()
    code.save(picture, kind="png", scale=_SCALE, border=_QUIET_ZONE)
    return Attachment("check-in.png", "image/png", picture.getvalue(), content_id=CONTENT_ID)
