"""The local stack: everything that a hosted project has, on this machine, without Docker.

Read in this order: `config` (where things are, on which ports), `postgres` and `platform` (the
database as hosted), `parts` (what is started, and how each says that it is ready), `supervisor`
(starts them in order, watches them, stops them).
"""
