"""The way to the database: PostgREST, through the gateway, and nothing else.

Functions are called, never tables: those of schema `service` with the service's own secret key, and
those of schema `public` with the token of the person on whose behalf a request runs, so that row
level security decides. One call is one transaction. A module a subject; errors are translated in
one place (`errors`).
"""

from escapemaster.database.email import (
    EmailOverride,
    EmailWords,
    PreparedEmail,
    Recipient,
    SenderDomain,
)
from escapemaster.database.exports import TableExport
from escapemaster.database.functions import RETRY_DELAYS, connection_pool
from escapemaster.database.organizations import ApiKey
from escapemaster.database.payments import CheckoutAttempt, OpenCheckout, RefundRequest
from escapemaster.database.person import PersonDatabase
from escapemaster.database.queue import DeadJob, Health, Job, Measure, QueueStatistics, Retried
from escapemaster.database.received import Received
from escapemaster.database.service import ServiceDatabase

__all__ = [
    "RETRY_DELAYS",
    "ApiKey",
    "CheckoutAttempt",
    "DeadJob",
    "EmailOverride",
    "EmailWords",
    "Health",
    "Job",
    "Measure",
    "OpenCheckout",
    "PersonDatabase",
    "PreparedEmail",
    "QueueStatistics",
    "Received",
    "Recipient",
    "RefundRequest",
    "Retried",
    "SenderDomain",
    "ServiceDatabase",
    "TableExport",
    "connection_pool",
]
