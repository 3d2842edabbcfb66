"""Does the suite notice when a rule is loosened?

Each policy, grant and check of the database is loosened in turn, and the tests that are about it
are run. A mutant that no test notices is a survivor: either a test is missing, or it is harmless,
and accepted.toml says why.

`make mutate` looks at every policy, grant, key and permission, and at every check of foundation,
tenancy, storage and audit: some 2,400 mutants, within twenty minutes on two cores.

`make mutate args="--all --log .local/mutants.tsv"` looks at some 560 more, of all other domains:
every refusal, every condition that tells tenants apart or asks for a token, every lock, every
trigger. They take seconds each when they are noticed, and a minute or more when they are not,
since everything that runs through the function is tried; by what parts of it took, allow for two
hours. What is in the log is not judged again unless it survived or was changed since, so a run
may be broken off and gone on with. `--only 'function quote:*'` judges a part, and `--tests FILE`
with the named tests alone.

Left out in any case: outside of those four domains, the conditions that say which rows count
(`and s.status = 'scheduled'`) and do not keep anybody out. They are the business of the models and
properties of availability, prices, bookings and money, which this tool has no time for either: it
runs neither tests with many examples on the whole calendar nor tests over HTTP.
"""
