"""`up`, `down`, `reset`, `status`, `logs`: the stack on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from escapemaster_dev.stack.config import StackConfig

_STACK = "The stack"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, reset, status, logs):
        app.command(rich_help_panel=_STACK)(command)


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is ready; `down` stops it.")
    ] = False,
    seed: Annotated[
        bool, typer.Option("--seed/--no-seed", help="Put demo data into an empty database.")
    ] = True,
    durable: Annotated[
        bool,
        typer.Option(
            "--durable/--throw-away",
            help="A throw-away stack does not wait for the disk: for tests.",
        ),
    ] = True,
    until_gone: Annotated[
        int | None, typer.Option(hidden=True, help="Stop when this process has ended.")
    ] = None,
) -> None:
    """Start everything; Ctrl-C stops it, and leaves nothing running.

    The first start makes the database. Every start applies the pending migrations. At the end one
    table says where everything is. A part that dies is started again, up to five times with growing
    pauses, and `status` says so; then, or while the stack starts, it is named with the end of its
    log and the stack stops.
    """
    from escapemaster_dev.cli.table import print_summary
    from escapemaster_dev.stack.reporter import reporting
    from escapemaster_dev.stack.supervisor import Supervisor

    config = replace(_config(), durable=durable)
    console = Console()
    if detach:
        _up_detached(config, seed=seed, durable=durable, console=console)
        return
    started = time.monotonic()
    with reporting(console) as reporter:

        def ready(variables: dict[str, str]) -> None:
            reporter.close()
            seconds = time.monotonic() - started
            print_summary(console, config, variables, f"Ready in {seconds:.1f} s.")
            console.print("Ctrl-C stops everything.", style="dim")

        Supervisor(config, reporter, seed=seed, until_gone=until_gone).run(ready)


def down() -> None:
    """Stop the stack that runs in the background or in another terminal. The data stays."""
    from escapemaster_dev.stack.errors import NotRunning
    from escapemaster_dev.stack.state import end_leftovers, stop_running

    config = _config()
    try:
        stop_running(config)
    except NotRunning:
        ended = end_leftovers(config)
        typer.echo(f"Ended {ended} leftovers." if ended else "No stack is running here.")
    else:
        typer.echo("Stopped.")


def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Throw away the database, the uploaded files and the mails; keys and ports stay.

    A running stack is stopped first. The next `up` starts empty.
    """
    from escapemaster_dev.stack.state import is_running, stop_running
    from escapemaster_dev.stack.supervisor import cluster_of

    config = _config()
    if not yes and not os.environ.get("CI"):
        typer.confirm(f"Delete all data in {config.home}?", abort=True)
    if is_running(config):
        stop_running(config)
    config.prepare()
    cluster_of(config).remove()
    for name in ("postgres", "lite", "lite-template", "mail", "stripe"):
        path = config.home / name
        if path.is_symlink():
            path.unlink()
        shutil.rmtree(path, ignore_errors=True)
    config.demo.unlink(missing_ok=True)
    typer.echo(f"No data is left in {config.home}. `up` starts afresh.")
    kept = sorted(path.name for path in config.home.iterdir())
    if kept:
        typer.echo(f"What stays there, so that keys and ports stay the same: {', '.join(kept)}.")


def status() -> None:
    """Say what runs and where. Exit status 1 when no stack is running."""
    from escapemaster_dev.cli.table import print_parts, print_summary
    from escapemaster_dev.stack.environment import read_environment
    from escapemaster_dev.stack.state import is_running, read_state

    config = _config()
    state = read_state(config)
    if state is None or not is_running(config):
        typer.echo("No stack is running here.")
        if state is not None and state.message:
            typer.echo(f"The last one stopped because {state.message}")
        raise typer.Exit(1)
    console = Console()
    print_parts(console, config, state)
    if state.status == "ready":
        print_summary(console, config, read_environment(config.environment), "")


def logs(
    part: Annotated[
        str | None, typer.Argument(help="One part only: the name of its file, such as worker.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="So many lines of the past.")] = 50,
) -> None:
    """Show what the parts wrote."""
    from escapemaster_dev.cli.logs import show

    show(_config(), part, follow=follow, lines=lines)


def _config() -> StackConfig:
    return StackConfig.from_environment()


def _up_detached(config: StackConfig, *, seed: bool, durable: bool, console: Console) -> None:
    """Start a supervisor that outlives this process, and wait until it is ready."""
    from escapemaster_dev.cli.table import print_summary
    from escapemaster_dev.stack.environment import read_environment
    from escapemaster_dev.stack.errors import AlreadyRunning, StackError
    from escapemaster_dev.stack.state import is_running, read_state

    config.prepare()
    if is_running(config):
        raise AlreadyRunning(f"a stack is running already in {config.home}")
    config.state.unlink(missing_ok=True)
    command = [sys.executable, "-m", "escapemaster_dev", "up"]
    command += ["--seed" if seed else "--no-seed", "--durable" if durable else "--throw-away"]
    log = config.logs / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = time.monotonic()
    with console.status("starting the stack …"):
        try:
            while (state := read_state(config)) is None or state.status != "ready":
                if process.poll() is not None:
                    raise StackError(log.read_text().strip().removeprefix("error: "))
                time.sleep(0.05)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    seconds = time.monotonic() - started
    variables = read_environment(config.environment)
    print_summary(console, config, variables, f"Ready in {seconds:.1f} s, in the background.")
    console.print("`make down` stops everything.", style="dim")
