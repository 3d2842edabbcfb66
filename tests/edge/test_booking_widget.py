"""The widget's script as pages load it through the gateway."""

from __future__ import annotations

import base64
import gzip
import hashlib

import httpx

WIDGET = "/functions/v1/booking-widget"
#: The budget of what every visitor loads: strings, styles and all.
MOST_BYTES = 36_000


def test_a_page_needs_no_key_to_load_the_script(gateway: httpx.Client) -> None:
    response = gateway.get(WIDGET)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "customElements.define" in response.text


def test_the_named_script_is_kept_shortly_and_the_pinned_one_for_ever(
    gateway: httpx.Client,
) -> None:
    manifest = gateway.get(f"{WIDGET}/manifest.json").json()
    newest, pinned = gateway.get(WIDGET), gateway.get(f"{WIDGET}/{manifest['file']}")
    assert "max-age=300" in newest.headers["cache-control"]
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert pinned.content == newest.content


def test_the_manifest_tells_the_integrity_of_the_bytes(gateway: httpx.Client) -> None:
    manifest = gateway.get(f"{WIDGET}/manifest.json").json()
    content = gateway.get(f"{WIDGET}/{manifest['file']}").content
    digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
    assert manifest["integrity"] == f"sha384-{digest}"
    assert manifest["bytes"] == len(content)
    assert gateway.head(WIDGET).headers["x-integrity"] == manifest["integrity"]


def test_on_the_wire_it_is_small(gateway: httpx.Client) -> None:
    with gateway.stream("GET", WIDGET, headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["content-encoding"] == "gzip"
        packed = b"".join(response.iter_raw())
    assert len(packed) < MOST_BYTES
    assert gzip.decompress(packed) == gateway.get(WIDGET).content


def test_a_page_that_has_it_gets_304(gateway: httpx.Client) -> None:
    first = gateway.get(WIDGET)
    again = gateway.get(WIDGET, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_a_version_that_is_not_deployed_is_404(gateway: httpx.Client) -> None:
    response = gateway.get(f"{WIDGET}/0123456789abcdef.js")
    assert response.status_code == 404
    assert response.json()["code"] == "version_not_found"
    assert response.headers["cache-control"] == "no-store"


def test_writing_is_405(gateway: httpx.Client) -> None:
    assert gateway.post(WIDGET).status_code == 405
