"""What developers run and production does not have.

The local stack, the schema's tools, the demo, the providers' sandboxes, the command `escapemaster`.
"""
