"""The errors of backups: each says what is wrong, and what was changed, which is mostly nothing."""

from __future__ import annotations


class BackupError(Exception):
    """A backup could not be made or put back; the text is for the person who asked for it."""


class WrongKey(BackupError):
    """The file was not encrypted for this key."""


class DamagedFile(BackupError):
    """The file is not whole: cut off, changed, or no backup at all."""
