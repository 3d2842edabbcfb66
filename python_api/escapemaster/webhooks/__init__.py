"""Webhooks out: where a venue's address may lead, and how an event is posted there."""
