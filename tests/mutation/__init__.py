"""Does the suite notice when a door is left open?

Each policy, grant and check of the database is loosened in turn, and the tests that are about it
are run. A mutant that no test notices is a survivor: either a test is missing, or it is harmless,
and accepted.toml says why.
"""
