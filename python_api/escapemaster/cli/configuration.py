"""The settings of a command, or its end with a list of what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from escapemaster.settings import ConfigurationError, Settings, get_settings, read_settings


def settings_or_exit(needs: Sequence[tuple[str, ...]] = ()) -> Settings:
    """Read the environment; where it is wrong, say all of it on standard error and end with 1."""
    try:
        return read_settings(needs) if needs else get_settings()
    except ConfigurationError as error:
        said = str(error)
    typer.echo(f"escapemaster {said}", err=True)
    raise typer.Exit(1)
