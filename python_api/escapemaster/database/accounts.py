"""The organizations' own accounts at Stripe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal
from uuid import UUID

from pydantic import TypeAdapter

from escapemaster.database.functions import COUNT, IGNORED, Functions, Row
from escapemaster.database.queue import Job, lease


class StripeAccountOrder(Row):
    """The account that an organization is about to open or complete. No id: none was made."""

    id: UUID
    organization_id: UUID
    organization_name: str
    email: str | None
    locale: str
    account_id: str | None


class AppliedStripeAccount(Row):
    """What a reading of an account has changed. No organization: it is none of ours."""

    organization_id: UUID | None
    outcome: Literal["applied", "unknown", "older"]
    may_charge: bool | None


_ORDER: Final = TypeAdapter[StripeAccountOrder](StripeAccountOrder)
_APPLIED: Final = TypeAdapter[AppliedStripeAccount](AppliedStripeAccount)
_TEXT: Final = TypeAdapter[str](str)
_TEXTS: Final = TypeAdapter[list[str]](list[str])


class AccountDatabase:
    """The calls about accounts. What is done for a person takes a pass of `open_billing`.

    Raises:
        DomainError: 403 `billing_pass_invalid` from each that takes a pass.
    """

    _functions: Functions

    async def open_stripe_account(
        self, organization_id: UUID, billing_pass: str, *, anew: bool
    ) -> StripeAccountOrder:
        """The account to open or complete; `anew`: another than the one that may charge.

        Raises:
            DomainError: 404 `organization_not_found`.
        """
        return await self._functions.call(
            "open_stripe_account",
            _ORDER,
            {"organization_id": organization_id, "billing_pass": billing_pass, "anew": anew},
        )

    async def record_stripe_account(
        self, organization_id: UUID, billing_pass: str, order_id: UUID, account_id: str
    ) -> str:
        """Remember the account that was made. Returns the first that was recorded."""
        return await self._functions.call(
            "record_stripe_account",
            _TEXT,
            {
                "organization_id": organization_id,
                "billing_pass": billing_pass,
                "id": order_id,
                "account_id": account_id,
            },
        )

    async def connect_stripe_account(
        self, organization_id: UUID, billing_pass: str, account_id: str
    ) -> None:
        """Give an organization an account that was there before.

        Raises:
            DomainError: 404 `organization_not_found`; 409 `stripe_account_taken`.
        """
        await self._functions.call(
            "connect_stripe_account",
            IGNORED,
            {
                "organization_id": organization_id,
                "billing_pass": billing_pass,
                "account_id": account_id,
            },
        )

    async def apply_stripe_account(
        self, account: Mapping[str, object], asked_by: Job | str
    ) -> AppliedStripeAccount:
        """Apply what an account may do. Any order and any number do no harm.

        Args:
            account: All that was read of it.
            asked_by: The claimed job that reads it, or the pass of a person who looks at it.
        """
        proof = {"billing_pass": asked_by} if isinstance(asked_by, str) else lease(asked_by)
        return await self._functions.call(
            "apply_stripe_account", _APPLIED, {"account": account, **proof}
        )

    async def list_stripe_accounts(self) -> list[str]:
        """Every account that can be asked for events."""
        return await self._functions.call("list_stripe_accounts", _TEXTS, {})

    async def queue_stale_stripe_accounts(
        self, older_than_seconds: int, account_id: str | None = None
    ) -> int:
        """Queue reading what was not read for so long, up to 100, or the one that is named.

        Returns how many it queued.
        """
        return await self._functions.call(
            "queue_stale_stripe_accounts",
            COUNT,
            {"older_than_seconds": older_than_seconds, "account_id": account_id},
        )
