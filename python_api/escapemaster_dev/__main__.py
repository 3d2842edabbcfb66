"""`python -m escapemaster_dev`: the same as the command `escapemaster`."""

from escapemaster_dev.cli import main

if __name__ == "__main__":
    main()
