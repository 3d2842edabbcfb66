"""Backups: rows and files of one place in one encrypted file, and back into another place."""
