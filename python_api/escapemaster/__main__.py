"""`python -m escapemaster`: the same as the command `escapemaster`."""

from escapemaster.cli import main

if __name__ == "__main__":
    main()
