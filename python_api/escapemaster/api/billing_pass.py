"""The pass with which the service acts for a person who may manage what an organization pays."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel

from escapemaster.api.auth import Person
from escapemaster.payments.subscriptions import GetPass


class _Pass(BaseModel):
    """What `open_billing` answers."""

    token: str


def billing_pass_of(person: Person, organization_id: UUID, *, reading: bool = False) -> GetPass:
    """How to get a pass as this person.

    Args:
        person: Who asks.
        organization_id: For which organization.
        reading: The lesser one, with which only what Stripe says of an account is applied.
    """

    async def get_pass() -> str:
        answer = await person.database.call(
            "open_billing", {"organization_id": str(organization_id), "reading": reading}
        )
        return _Pass.model_validate(answer).token

    return get_pass
