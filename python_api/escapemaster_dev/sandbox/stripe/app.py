"""Puts the sandbox together: the API, the page a person sees, the tests' switches, the courier."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette

from escapemaster_dev.sandbox.stripe import api, connect, page, portal, switchboard
from escapemaster_dev.sandbox.stripe.core import Sandbox
from escapemaster_dev.sandbox.stripe.courier import Courier
from escapemaster_dev.sandbox.stripe.settings import Settings
from escapemaster_dev.sandbox.stripe.store import Store


def create_app(
    settings: Settings | None = None, clock: Callable[[], float] = time.time
) -> Starlette:
    """The ASGI application, from the environment unless settings are given.

    `clock` tells the time in seconds since 1970; tests hand in one that they can turn.
    """
    settings = settings or Settings.from_environment(os.environ)
    woken = asyncio.Event()
    sandbox = Sandbox(settings, Store(settings.state), clock, woken.set)
    courier = Courier(sandbox, woken)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(courier.run())
        try:
            yield
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            sandbox.store.close()

    app = Starlette(
        routes=[
            *switchboard.routes(),
            *page.routes(),
            *portal.routes(),
            *connect.routes(),
            *api.routes(),
        ],
        lifespan=lifespan,
    )
    app.state.sandbox = sandbox
    app.state.courier = courier
    return app
