"""Looks into a database that runs: what is dear in it, and what does it no good."""
