"""Mails: what they say (templates, languages), and how they are handed over (transports)."""
