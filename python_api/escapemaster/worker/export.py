"""All rows of a tenant as JSON lines."""

from __future__ import annotations

import asyncio
import json
from typing import IO

from escapemaster.database import Job, ServiceDatabase


async def write_rows(database: ServiceDatabase, job: Job, file: IO[bytes]) -> int:
    """Write the rows of the job's tenant, `{"table": …, "row": …}` a line, page by page.

    Reads until a page is empty, never until one is short: how many rows an answer may hold is for
    the other side to say.

    Returns:
        How many rows; 0 if there is no such organization.
    """
    rows = 0
    page = await database.read_organization(job.id, job.lease_token, None)
    while page:
        lines = "".join(
            json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in page
        )
        await asyncio.to_thread(file.write, lines.encode())
        rows += len(page)
        page = await database.read_organization(job.id, job.lease_token, page[-1])
    return rows
