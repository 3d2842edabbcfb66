"""The clients of service and worker, as the environment says: built here and nowhere else."""

from __future__ import annotations

import httpx

from escapemaster.database import ServiceDatabase
from escapemaster.email.content import Site
from escapemaster.email.mailbox_transport import MailboxTransport
from escapemaster.email.message import LocalSenders, Senders, Transport
from escapemaster.email.resend_transport import ResendSenders, ResendTransport
from escapemaster.payments.stripe_gateway import StripeGateway
from escapemaster.settings import Settings
from escapemaster.storage import Storage
from escapemaster.webhooks.posting import Poster


def service_database(settings: Settings, pool: httpx.AsyncClient) -> ServiceDatabase:
    """The database as the service itself sees it."""
    return ServiceDatabase(
        pool,
        url=settings.supabase_url,
        secret_key=settings.supabase_secret_key.get_secret_value(),
    )


def stripe_gateway(settings: Settings, http: httpx.AsyncClient) -> StripeGateway:
    """Stripe, or the sandbox that stands in for it."""
    connect_secret = settings.stripe_connect_webhook_secret
    return StripeGateway(
        http,
        secret_key=settings.stripe_secret_key.get_secret_value(),
        webhook_secret=settings.stripe_webhook_secret.get_secret_value(),
        connect_webhook_secret=connect_secret.get_secret_value() if connect_secret else None,
        connect_client_id=settings.stripe_connect_client_id,
        api_base=settings.stripe_api_base,
    )


def file_storage(settings: Settings, http: httpx.AsyncClient) -> Storage:
    """The buckets."""
    return Storage(
        http,
        url=settings.supabase_url,
        secret_key=settings.supabase_secret_key.get_secret_value(),
    )


def webhook_poster(settings: Settings) -> Poster:
    """What posts to the venues' own programs."""
    return Poster(allow_loopback=settings.webhooks_allow_loopback)


def mail_site(settings: Settings) -> Site:
    """Where mails lead to and come from."""
    return Site(
        settings.public_site_url,
        settings.email_from,
        settings.service_url,
        f"{settings.supabase_url}/storage/v1/object/public/logos",
    )


def mail_senders(settings: Settings, http: httpx.AsyncClient) -> Senders:
    """Resend's domains where there is a key for it; call it after `mail_transport`."""
    return LocalSenders() if settings.resend_api_key is None else ResendSenders(http)


def mail_transport(settings: Settings, http: httpx.AsyncClient) -> Transport:
    """Resend where there is a key for it, else the local mailbox."""
    if settings.resend_api_key is not None:
        return ResendTransport(
            http,
            api_key=settings.resend_api_key.get_secret_value(),
            email_from=settings.email_from,
        )
    if settings.mailbox_url is None:
        raise ValueError("set RESEND_API_KEY, or MAILBOX_URL for a local mailbox")
    return MailboxTransport(
        http,
        mailbox_url=settings.mailbox_url,
        smtp_host=settings.mailbox_smtp_host,
        smtp_port=settings.mailbox_smtp_port,
        email_from=settings.email_from,
    )
