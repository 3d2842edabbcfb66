"""An organization's own words in its mails."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from escapemaster.api.auth import Person, require_permission
from escapemaster.api.bodies import Body
from escapemaster.api.problems import responses
from escapemaster.api.services import ServicesOf
from escapemaster.clients import mail_site
from escapemaster.database import EmailOverride, PreparedEmail
from escapemaster.email.mails import MAILS, is_about_a_booking, of_booking, sample
from escapemaster.email.message import page_by_itself
from escapemaster.email.overrides import MAX_BODY, MAX_SUBJECT
from escapemaster.email.rendering import WordsInvalidError, render_strictly
from escapemaster.errors import DomainError

router = APIRouter(prefix="/v1", tags=["Mail"])


def _existing(name: str) -> str:
    if name not in MAILS:
        raise ValueError(f"there is {', '.join(MAILS)}")
    return name


class PreviewRequest(Body):
    """Which mail, and the words to try."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "template": "booking_confirmed",
                "locale": "en",
                "subject": "See you on {{ day }}!",
                "body": "{{ room_name }} is yours.\n\nBring comfortable shoes.",
            }
        },
    )

    template: Annotated[
        str,
        AfterValidator(_existing),
        Field(
            description="The mail, as in `email_template_overrides`.",
            json_schema_extra={"enum": [*MAILS]},
        ),
    ]
    locale: Annotated[Literal["es", "en", "ca"], Field(description="Its language.")]
    subject: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_SUBJECT,
            description="Without it, the product's own.",
        ),
    ] = None
    body: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_BODY,
            description="The opening words, as plain text; an empty line begins a paragraph. "
            "`{{ name }}` stands for a value of the mail, `{% if name %}…{% endif %}` asks whether "
            "there is one. Without it, the product's own.",
        ),
    ] = None
    booking_id: Annotated[
        UUID | None,
        Field(
            description="A booking of the organization that `x-organization-id` names: the mail is "
            "shown about it, without the secrets of its links. Without it, about a sample."
        ),
    ] = None


class _Facts(BaseModel):
    """What the database says of a booking that a mail is tried on."""

    to_name: str
    data: dict[str, JsonValue]


_FACTS = TypeAdapter[_Facts](_Facts)


class PreviewResponse(BaseModel):
    """The mail as it would be sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "subject": "See you on Saturday, 15 May 2027!",
                "html": "<!doctype html>…",
                "text": "You are in!\n\nHello Marta,\n\nLa cripta is yours.\n",
            }
        }
    )

    subject: Annotated[str, Field(description="The subject, filled in.")]
    html: Annotated[str, Field(description="The page that a mail program shows.")]
    text: Annotated[str, Field(description="Its plain alternative.")]


@router.post(
    "/email-templates/preview",
    operation_id="preview_email_template",
    summary="Try an organization's own words",
    response_description="The words can be used",
    responses=responses(400, 401, 403, 404),
)
async def preview_email_template(
    wanted: PreviewRequest,
    services: ServicesOf,
    person: Annotated[Person, Depends(require_permission("templates:read"))],
) -> PreviewResponse:
    """Check the words of a mail and show the mail, about a sample booking or a real one.

    Nothing is kept or sent: store the words in `email_template_overrides`. Needs `templates:read`,
    and for a real booking `bookings:read`, `customers:read` and `payments:read`.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied` (403); `booking_not_found`
    (404); `template_invalid` (422, details `{field, line, problem}`); `template_not_of_a_booking`,
    `organization_missing`, `invalid_request` (422).
    """
    words = EmailOverride(subject=wanted.subject, body=wanted.body)
    site = mail_site(services.settings)
    prepared = (
        sample(wanted.template, wanted.locale, words)
        if wanted.booking_id is None
        else await _about(wanted.booking_id, wanted, words, person)
    )
    try:
        message = render_strictly(prepared, site)
    except WordsInvalidError as error:
        raise DomainError(
            "template_invalid",
            422,
            f"Mend line {error.line} of the {error.field}: {error.problem}",
            {"field": error.field, "line": error.line, "problem": error.problem},
        ) from None
    return PreviewResponse(subject=message.subject, html=page_by_itself(message), text=message.text)


async def _about(
    booking_id: UUID, wanted: PreviewRequest, words: EmailOverride, person: Person
) -> PreparedEmail:
    """The mail about a booking, as the person may read it."""
    if not is_about_a_booking(wanted.template):
        raise DomainError(
            "template_not_of_a_booking", 422, "Leave booking_id out: it is not about a booking."
        )
    if person.organization_id is None:
        raise DomainError(
            "organization_missing", 422, "Name the booking's organization in x-organization-id."
        )
    answer = await person.database.call(
        "preview_booking_email",
        {"organization_id": str(person.organization_id), "booking_id": str(booking_id)},
    )
    facts = _FACTS.validate_python(answer)
    return of_booking(wanted.template, wanted.locale, words, facts.to_name, facts.data)
