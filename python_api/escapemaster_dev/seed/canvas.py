"""A canvas that draws flat shapes into a PNG, with nothing but the standard library.

Pixels are indexes into a palette, one byte each, so that a shape is filled by copying whole
runs of bytes: a picture of a million pixels takes some hundredths of a second.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence

Colour = tuple[int, int, int]
Point = tuple[float, float]

_LARGEST_PALETTE = 256


def colour(code: str) -> Colour:
    """``#rrggbb`` as three numbers."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """The colour at `share` (0 to 1) of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


class Canvas:
    """A picture of `width` times `height` pixels; the origin is the upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._palette: dict[Colour, int] = {}
        self._rows = [bytearray(width) for _ in range(height)]

    def gradient(self, top: Colour, bottom: Colour, *, steps: int = 48) -> None:
        """Fill everything, from one colour at the top to another at the bottom."""
        for y, row in enumerate(self._rows):
            step = y * steps // self.height
            index = self._index(blend(top, bottom, step / (steps - 1)))
            row[:] = bytes([index]) * self.width

    def rectangle(self, x: float, y: float, width: float, height: float, fill: Colour) -> None:
        """Fill a rectangle, given its upper left corner."""
        index = self._index(fill)
        for line in self._lines(y, y + height):
            self._span(line, x, x + width, index)

    def circle(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """Fill a circle, given its middle."""
        index = self._index(fill)
        for line in self._lines(y - radius, y + radius):
            half = math.sqrt(max(0.0, radius**2 - (line + 0.5 - y) ** 2))
            self._span(line, x - half, x + half, index)

    def glow(self, x: float, y: float, radius: float, inner: Colour, outer: Colour) -> None:
        """A circle that fades from `inner` to the colour of what lies around it."""
        rings = 12
        for ring in range(rings):
            share = 1 - ring / rings
            self.circle(x, y, radius * share, blend(inner, outer, share))

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        """Fill between the edges, crossing by crossing (even-odd rule)."""
        index = self._index(fill)
        edges = list(zip(points, [*points[1:], points[0]], strict=True))
        for line in self._lines(min(y for _, y in points), max(y for _, y in points)):
            middle = line + 0.5
            crossings = sorted(
                x1 + (middle - y1) * (x2 - x1) / (y2 - y1)
                for (x1, y1), (x2, y2) in edges
                if (y1 <= middle) != (y2 <= middle)
            )
            for left, right in zip(crossings[::2], crossings[1::2], strict=True):
                self._span(line, left, right, index)

    def stroke(self, start: Point, end: Point, thickness: float, fill: Colour) -> None:
        """A straight line with round ends."""
        (x1, y1), (x2, y2) = start, end
        length = math.hypot(x2 - x1, y2 - y1) or 1.0
        dx, dy = (y2 - y1) / length * thickness / 2, (x1 - x2) / length * thickness / 2
        corners = [(x1 + dx, y1 + dy), (x2 + dx, y2 + dy), (x2 - dx, y2 - dy), (x1 - dx, y1 - dy)]
        self.polygon(corners, fill)
        self.circle(x1, y1, thickness / 2, fill)
        self.circle(x2, y2, thickness / 2, fill)

    def png(self) -> bytes:
        """The picture as a file."""
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        palette = b"".join(bytes(entry) for entry in self._palette)
        pixels = b"".join(b"\0" + row for row in self._rows)
        chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(pixels, 6)))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            _chunk(kind, data) for kind, data in (*chunks, (b"IEND", b""))
        )

    def _index(self, fill: Colour) -> int:
        index = self._palette.setdefault(fill, len(self._palette))
        if index >= _LARGEST_PALETTE:
            raise ValueError(f"a picture has at most {_LARGEST_PALETTE} colours")
        return index

    def _lines(self, top: float, bottom: float) -> Iterable[int]:
        return range(max(0, round(top)), min(self.height, round(bottom)))

    def _span(self, line: int, left: float, right: float, index: int) -> None:
        start, end = max(0, round(left)), min(self.width, round(right))
        if end > start:
            self._rows[line][start:end] = bytes([index]) * (end - start)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
