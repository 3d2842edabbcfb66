"""What this product asks of Stripe Connect: the venues' own accounts, into which players pay.

The venue is the merchant: charges are made directly on its account, it pays Stripe's fees and
bears disputes, and Stripe asks it, not us, for what the law wants to know.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import stripe
from stripe.params import AccountCreateParams, AccountLinkCreateParams

from escapemaster.errors import PaymentError
from escapemaster.payments.model import ConnectedAccount
from escapemaster.payments.stripe_errors import translated_errors

if TYPE_CHECKING:
    from stripe._v1_services import V1Services


class AccountCalls:
    """The calls about connected accounts.

    Raises:
        PaymentError: From every method; `retryable` says whether to try again later.
    """

    _client: stripe.StripeClient
    _stripe: V1Services
    _connect_client_id: str | None
    _now: Callable[[], datetime]

    async def create_account(
        self, organization_id: UUID, *, name: str, email: str | None, key: str
    ) -> str:
        """Make an account of an organization's own, once a key. Returns its id.

        https://docs.stripe.com/connect/migrate-to-controller-properties
        """
        parameters: AccountCreateParams = {
            "business_profile": {"name": name},
            "controller": {
                "fees": {"payer": "account"},
                "losses": {"payments": "stripe"},
                "requirement_collection": "stripe",
                "stripe_dashboard": {"type": "full"},
            },
            "metadata": {"organization_id": str(organization_id)},
        }
        if email:
            parameters["email"] = email
        try:
            with translated_errors():
                account = await self._stripe.accounts.create_async(
                    parameters, {"idempotency_key": key}
                )
        except PaymentError as error:
            if error.code != "idempotency_conflict":
                raise
            # Asked before under another name or address; who it is is written down at once, so
            # that this happens in the moment between only.
            raise PaymentError(error.code, str(error), retryable=True) from error
        return account.id

    async def open_onboarding(self, account: str, *, return_url: str, refresh_url: str) -> str:
        """The address of the page on which the account's owner tells Stripe what it wants to know.

        It can be opened once and soon: https://docs.stripe.com/api/account_links.
        """
        parameters: AccountLinkCreateParams = {
            "account": account,
            "type": "account_onboarding",
            "return_url": return_url,
            "refresh_url": refresh_url,
        }
        with translated_errors():
            link = await self._stripe.account_links.create_async(parameters)
        return link.url

    async def read_account(self, account: str) -> ConnectedAccount:
        """What an account may do now; `deauthorized` when it is not ours to ask about any more."""
        asked = self._now()
        try:
            with translated_errors():
                found = await self._stripe.accounts.retrieve_async(account)
        except PaymentError as error:
            if error.code != "account_invalid":
                raise
            return ConnectedAccount(account, deauthorized=True, as_of=asked)
        return _account(found, asked)

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """The address of the page on which the owner of an account lets the platform use it.

        https://docs.stripe.com/connect/oauth-reference
        """
        if self._connect_client_id is None:
            raise PaymentError("connect_not_configured", "no client id", retryable=False)
        return self._client.oauth.authorize_url(
            {
                "client_id": self._connect_client_id,
                "scope": "read_write",
                "state": state,
                "redirect_uri": redirect_uri,
            }
        )

    async def authorized_account(self, code: str) -> str:
        """The account whose owner has agreed, by the code that they came back with; once."""
        with translated_errors():
            answer = await self._client.raw_request_async(
                "post", "/oauth/token", base="connect", grant_type="authorization_code", code=code
            )
        account = answer.data.get("stripe_user_id")
        if not isinstance(account, str):
            raise PaymentError("account_missing", "no account was named", retryable=False)
        return account


def _account(account: stripe.Account, asked: datetime) -> ConnectedAccount:
    wanted = account.requirements
    due_at = None if wanted is None else wanted.current_deadline
    return ConnectedAccount(
        id=account.id,
        deauthorized=False,
        as_of=asked,
        charges_enabled=bool(account.charges_enabled),
        payouts_enabled=bool(account.payouts_enabled),
        details_submitted=bool(account.details_submitted),
        requirements=(
            ()
            if wanted is None
            else tuple(sorted({*(wanted.currently_due or ()), *(wanted.past_due or ())}))
        ),
        requirements_due_at=None if due_at is None else datetime.fromtimestamp(due_at, UTC),
        disabled_reason=None if wanted is None else wanted.disabled_reason,
    )
