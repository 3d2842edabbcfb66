"""`python -m escapemaster_dev.schema`."""

from escapemaster_dev.schema.cli import main

main()
