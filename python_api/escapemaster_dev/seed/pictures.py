"""The rooms' pictures: one flat scene each, a PNG in `scenes`."""

from __future__ import annotations

from pathlib import Path

_SCENES = Path(__file__).with_name("scenes")

#: The names of the pictures that there are.
SCENES = frozenset(path.stem for path in _SCENES.glob("*.png"))


def read_picture(name: str) -> bytes:
    """The PNG of a scene; its name is one of `SCENES`."""
    return _SCENES.joinpath(f"{name}.png").read_bytes()
