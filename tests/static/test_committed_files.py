"""What is committed holds no secret, no path of one machine and no package address."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from escapemaster_dev.schema.project import PROJECT

_LARGEST = 1_000_000  # bytes

_SECRETS = {
    "Stripe live key": r"\b[sr]k_live_[A-Za-z0-9]{10,}",
    "Stripe test key": r"\b[sr]k_test_[A-Za-z0-9]{24,}",
    "Stripe webhook secret": r"\bwhsec_[A-Za-z0-9]{24,}",
    "Supabase secret key": r"\bsb_secret_[A-Za-z0-9_-]{20,}",
    "Resend key": r"\bre_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}",
    "signed JWT": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40,}",
    "cloud access key": r"\bAKIA[0-9A-Z]{16}\b",
    "repository token": r"\bgh[pousr]_[A-Za-z0-9]{30,}",
}
_PLACES = {
    "home of a person": r"(?<![\w.])/(?:home|Users)/(?!user\b|me\b|you\b)[a-z][\w.-]*/",
    "home of root": r"(?<![\w.])/root/",
    "checkout of this machine": re.escape(str(PROJECT.root)) + r"\b",
    "Windows home": r"\b[A-Z]:\\Users\\",
}
_ADDRESSES = {
    "npm registry": r"registry\.(?:npmjs|yarnpkg)\.(?:org|com)",
    "Python index": r"(?:pypi|test\.pypi)\.org/simple|files\.pythonhosted\.org",
    "index option": r"--(?:extra-)?index-url|^\s*registry\s*=\s*[\"']?http",
    "resolved address in a lock": r"\"resolved\"\s*:",
}
_PATTERNS = {
    name: re.compile(pattern, re.MULTILINE)
    for name, pattern in (_SECRETS | _PLACES | _ADDRESSES).items()
}


def _committed() -> list[Path]:
    """Tracked files and those that would be at the next `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT.root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := PROJECT.root / name).is_file()]


def _breaches(content: str) -> list[str]:
    return [name for name, pattern in _PATTERNS.items() if pattern.search(content)]


def test_no_file_holds_a_secret_a_machine_path_or_a_registry() -> None:
    here = Path(__file__)
    found = {
        str(path.relative_to(PROJECT.root)): breaches
        for path in _committed()
        if path != here and (breaches := _breaches(path.read_text(errors="replace")))
    }
    assert found == {}


def test_no_file_is_large() -> None:
    large = [str(path) for path in _committed() if path.stat().st_size > _LARGEST]
    assert large == []


# Joined here, so that this file does not hold what it looks for.
@pytest.mark.parametrize(
    ("content", "breach"),
    [
        ("key = 'sk_" + "live_51H8xAbCdEfGh'", "Stripe live key"),
        ("sk_" + "test_" + "4eC39HqLyjWDarjtT1zdp7dc", "Stripe test key"),
        ("whsec_" + "a1B2" * 8, "Stripe webhook secret"),
        ("sb_secret_" + "a1B2" * 6, "Supabase secret key"),
        ("re_" + "a1B2c3D4_" + "e5F6" * 6, "Resend key"),
        ("Bearer eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0." + "aB3_" * 8, "signed JWT"),
        ("-----BEGIN EC PRIVATE KEY" + "-----\n" + "aB3/" * 12, "private key"),
        ("AKIA" + "ABCDEFGHIJKLMNOP", "cloud access key"),
        ("ghp_" + "a1B2c3" * 6, "repository token"),
        ("open('/home" + "/ana/venue/sql')", "home of a person"),
        ("open('/Users" + "/ana/venue/sql')", "home of a person"),
        ("cd /root" + "/venue", "home of root"),
        (f"cd {PROJECT.root}/sql", "checkout of this machine"),
        ("C:\\Users" + "\\ana", "Windows home"),
        ("https://registry." + "npmjs.org/pg", "npm registry"),
        ("https://pypi.org" + "/simple", "Python index"),
        ("--index" + "-url https://example.org", "index option"),
        ('"resolved"' + ': "x"', "resolved address in a lock"),
    ],
)
def test_a_breach_is_seen(content: str, breach: str) -> None:
    assert breach in _breaches(content)


@pytest.mark.parametrize(
    "content",
    [
        "STRIPE_SECRET_KEY=sk_test_",
        "the key starts with sb_secret_ and a client never sees it",
        "-----BEGIN PRIVATE KEY-----",
        "https://pypi.org/project/supabase",
        "GET /users/root/files",
    ],
)
def test_what_only_looks_like_one_is_not(content: str) -> None:
    assert _breaches(content) == []
