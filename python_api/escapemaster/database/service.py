"""The database as the service itself sees it."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from escapemaster.database.accounts import AccountDatabase
from escapemaster.database.billing import BillingDatabase
from escapemaster.database.email import EmailCalls
from escapemaster.database.exports import ExportCalls
from escapemaster.database.functions import RETRY_DELAYS, Functions
from escapemaster.database.organizations import OrganizationCalls
from escapemaster.database.payments import PaymentCalls
from escapemaster.database.queue import QueueCalls
from escapemaster.database.reports import ReportCalls
from escapemaster.database.webhooks import WebhookCalls


class ServiceDatabase(
    PaymentCalls,
    AccountDatabase,
    BillingDatabase,
    EmailCalls,
    ExportCalls,
    OrganizationCalls,
    QueueCalls,
    ReportCalls,
    WebhookCalls,
):
    """The functions of schema `service`, as the service itself.

    The secret key travels in `apikey` alone: the gateway maps it to the role `service_role`, here
    as on hosted Supabase.
    """

    def __init__(
        self,
        pool: httpx.AsyncClient,
        *,
        url: str,
        secret_key: str,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._functions = Functions(
            pool,
            url=url,
            schema="service",
            headers={"apikey": secret_key},
            retry_delays=retry_delays,
        )
