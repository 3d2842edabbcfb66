"""`python -m escapemaster.schema`."""

from escapemaster.schema.cli import main

main()
