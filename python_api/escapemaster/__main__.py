"""`python -m escapemaster`: what a deployment runs."""

from escapemaster.cli import app

if __name__ == "__main__":
    app()
