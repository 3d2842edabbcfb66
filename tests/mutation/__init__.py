"""Does the suite notice when a door is left open?

Each policy, grant and check of the database is loosened in turn, and the tests that are about it
are run. A mutant that no test notices is a survivor: either a test is missing, or it is harmless,
and accepted.toml says why.

Left out, so that the whole stays under twenty minutes: outside of foundation, tenancy, storage and
audit, the conditions that say which rows count (`and s.status = 'scheduled'`) and do not keep
anybody out. They are the business of the models and properties of availability, prices, bookings
and money, which this tool has no time for either: it runs neither tests with many examples on the
whole calendar nor tests over HTTP.
"""
