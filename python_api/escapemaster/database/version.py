"""The newest migration that this code knows. Made by `make types`."""

from typing import Final

NEWEST_MIGRATION: Final = "20261128152032"
