"""Encryption in the format of age, version 1: https://c2sp.org/age (X25519 recipients).

What is written here `age --decrypt --identity KEYFILE` opens too, so that a backup can be read
without this program. Whoever makes backups needs the public key only.

Our own code, over `cryptography`: the library for it (pyrage) says that a file cannot be
decrypted, and neither whether it was cut off or changed nor where.
"""

from __future__ import annotations

import hmac
import io
import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from escapemaster_dev.backup.errors import BackupError, DamagedFile, WrongKey

_VERSION: Final = b"age-encryption.org/v1"
_PUBLIC: Final = "age"
_PRIVATE: Final = "AGE-SECRET-KEY-"
#: What is encrypted at a time, and what it grows by.
_CHUNK: Final = 64 * 1024
_TAG: Final = 16
#: No header of ours comes near it.
_LONGEST_LINE: Final = 1024
_MOST_LINES: Final = 100


@dataclass(frozen=True, slots=True)
class Identity:
    """A key pair. The secret half opens what was encrypted for the public one."""

    secret: X25519PrivateKey

    @classmethod
    def generate(cls) -> Identity:
        """A new one."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read a key file: the first line that is no comment.

        Raises:
            BackupError: It holds no secret key.
        """
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                raw = _bech32_decode(line.strip(), _PRIVATE.lower())
                return cls(X25519PrivateKey.from_private_bytes(raw))
        raise BackupError("there is no key in the key file")

    @property
    def recipient(self) -> str:
        """The public key: `age1…`."""
        return _bech32_encode(_PUBLIC, self.secret.public_key().public_bytes_raw())

    def text(self) -> str:
        """The secret key: `AGE-SECRET-KEY-1…`."""
        return _bech32_encode(_PRIVATE.lower(), self.secret.private_bytes_raw()).upper()


def parse_recipient(text: str) -> X25519PublicKey:
    """Read a public key.

    Raises:
        BackupError: It is none.
    """
    return X25519PublicKey.from_public_bytes(_bech32_decode(text.strip(), _PUBLIC))


class Writer(io.RawIOBase):
    """Encrypts what is written to it. Only after `finish` is the file whole."""

    def __init__(self, target: BinaryIO, recipient: X25519PublicKey) -> None:
        self._target = target
        self._buffer = bytearray()
        self._counter = 0
        file_key, nonce = os.urandom(16), os.urandom(16)
        header = _header(file_key, recipient)
        target.write(header + b" " + _base64(_header_mac(file_key, header)) + b"\n" + nonce)
        self._cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Take bytes; return how many."""
        self._buffer += data
        # The last chunk is marked as such, so one is always kept back.
        while len(self._buffer) > _CHUNK:
            self._put(bytes(self._buffer[:_CHUNK]), last=False)
            del self._buffer[:_CHUNK]
        return len(data)

    def finish(self) -> None:
        """Write the end, without which the file counts as cut off."""
        self._put(bytes(self._buffer), last=True)
        self._buffer.clear()

    def _put(self, plain: bytes, *, last: bool) -> None:
        self._target.write(self._cipher.encrypt(_nonce(self._counter, last=last), plain, None))
        self._counter += 1


class Reader(io.RawIOBase):
    """Decrypts a file, a chunk at a time; none is given out that was changed."""

    def __init__(self, source: BinaryIO, identity: Identity) -> None:
        """Read the header.

        Raises:
            WrongKey: It was encrypted for another key.
            DamagedFile: It is no such file, or was changed.
        """
        self._source = source
        header, mac, stanzas = _read_header(source)
        file_key = _unwrap(stanzas, identity)
        if not hmac.compare_digest(mac, _header_mac(file_key, header)):
            raise DamagedFile("the backup's first lines were changed since it was written")
        nonce = source.read(16)
        if len(nonce) < 16:
            raise DamagedFile("the backup is cut off after its first lines")
        self._cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
        self._counter = 0
        self._next = source.read(_CHUNK + _TAG)
        self._plain = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer; return how much of it, 0 at the end.

        Raises:
            DamagedFile: The file was changed here, or is cut off.
        """
        while not self._plain and not self._ended:
            self._take()
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _take(self) -> None:
        chunk, self._next = self._next, self._source.read(_CHUNK + _TAG)
        self._ended = not self._next
        try:
            plain = self._cipher.decrypt(_nonce(self._counter, last=self._ended), chunk, None)
        except InvalidTag:
            raise DamagedFile(self._what_is_wrong(chunk)) from None
        self._plain = memoryview(plain)
        self._counter += 1

    def _what_is_wrong(self, chunk: bytes) -> str:
        where = self._counter * _CHUNK
        if self._ended:
            try:
                self._cipher.decrypt(_nonce(self._counter, last=False), chunk, None)
            except InvalidTag:
                pass
            else:
                return "the backup is cut off: its end is missing"
            return f"the backup is cut off, or was changed after its first {where:,} bytes"
        return f"the backup was changed since it was written, after its first {where:,} bytes"


def _header(file_key: bytes, recipient: X25519PublicKey) -> bytes:
    """All lines but the seal at the end of the last one."""
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    wrap = _wrapping(ephemeral.exchange(recipient), share, recipient.public_bytes_raw())
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    return b"\n".join([_VERSION, b"-> X25519 " + _base64(share), _base64(body), b"---"])


def _read_header(source: BinaryIO) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    """The header without its seal, the seal, and share and body of each X25519 stanza."""
    lines = [source.readline(_LONGEST_LINE).rstrip(b"\n")]
    if lines[0] != _VERSION:
        raise DamagedFile("this is no backup: it does not begin as one")
    while not lines[-1].startswith(b"--- ") and len(lines) < _MOST_LINES:
        line = source.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            break
        lines.append(line[:-1])
    last = lines.pop()
    if not last.startswith(b"--- "):
        raise DamagedFile("the backup is cut off in its first lines, or they were changed")
    stanzas = [
        (_unbase64(line.removeprefix(b"-> X25519 ")), _unbase64(body))
        for line, body in pairwise(lines)
        if line.startswith(b"-> X25519 ")
    ]
    return b"\n".join([*lines, b"---"]), _unbase64(last.removeprefix(b"--- ")), stanzas


def _unwrap(stanzas: Sequence[tuple[bytes, bytes]], identity: Identity) -> bytes:
    own = identity.secret.public_key().public_bytes_raw()
    for share, body in stanzas:
        if len(share) != 32 or len(body) != 32:
            raise DamagedFile("the backup's first lines were changed since it was written")
        shared = identity.secret.exchange(X25519PublicKey.from_public_bytes(share))
        try:
            return ChaCha20Poly1305(_wrapping(shared, share, own)).decrypt(bytes(12), body, None)
        except InvalidTag:
            continue
    raise WrongKey(
        "this key does not open the backup: it was encrypted for another one, or its first lines"
        f" were changed. The public half of the key given is {identity.recipient}"
    )


def _wrapping(shared: bytes, share: bytes, recipient: bytes) -> bytes:
    return _derive(shared, share + recipient, b"age-encryption.org/v1/X25519")


def _derive(material: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), length=32, salt=salt, info=purpose).derive(material)


def _header_mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), header, "sha256")


def _nonce(counter: int, *, last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([last])


def _base64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _unbase64(text: bytes) -> bytes:
    try:
        return b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise DamagedFile("the backup's first lines were changed since it was written") from None


# Bech32, in which age writes its keys (BIP 173, without its limit of 90 characters).

_LETTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _bech32_encode(prefix: str, data: bytes) -> str:
    values = _regroup(data, 8, 5, pad=True)
    check = _polymod([*_expand(prefix), *values, 0, 0, 0, 0, 0, 0]) ^ 1
    sum_ = [(check >> 5 * (5 - place)) & 31 for place in range(6)]
    return prefix + "1" + "".join(_LETTERS[value] for value in [*values, *sum_])


def _bech32_decode(text: str, prefix: str) -> bytes:
    wanted = "a public key (age1…)" if prefix == _PUBLIC else "a secret key (AGE-SECRET-KEY-1…)"
    found, _, body = text.lower().rpartition("1")
    values = [_LETTERS.find(letter) for letter in body]
    if found != prefix or -1 in values or _polymod([*_expand(prefix), *values]) != 1:
        # Without the text itself: it may be the other half, which is a secret.
        raise BackupError(f"this is not {wanted}, or it was mistyped")
    data = bytes(_regroup(values[:-6], 5, 8, pad=False))
    if len(data) != 32:
        raise BackupError(f"this is not {wanted}, or it was mistyped")
    return data


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _polymod(values: Sequence[int]) -> int:
    generators = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(generators):
            check ^= generator if (top >> place) & 1 else 0
    return check


def _regroup(data: Sequence[int], size: int, into: int, *, pad: bool) -> list[int]:
    """The same bits in groups of another size."""
    bits, count, groups = 0, 0, []
    for value in data:
        bits, count = (bits << size) | value, count + size
        while count >= into:
            count -= into
            groups.append((bits >> count) & ((1 << into) - 1))
        bits &= (1 << count) - 1
    if pad and count:
        groups.append((bits << (into - count)) & ((1 << into) - 1))
    return groups
