"""Generated from sql/ by `make types`. Do not edit."""

from __future__ import annotations

import datetime
import uuid
from typing import (
    Annotated,
    Any,
    List,
    Literal,
    Optional,
    TypedDict,
)
from typing_extensions import NotRequired, TypeAlias

from pydantic import BaseModel, Field, JsonValue


class PublicApiKeyPermissions(BaseModel):
    api_key_id: uuid.UUID = Field(alias="api_key_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    permission_key: str = Field(alias="permission_key")


class PublicApiKeyPermissionsInsert(TypedDict):
    api_key_id: Annotated[uuid.UUID, Field(alias="api_key_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    permission_key: Annotated[str, Field(alias="permission_key")]


class PublicApiKeyPermissionsUpdate(TypedDict):
    api_key_id: NotRequired[Annotated[uuid.UUID, Field(alias="api_key_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    permission_key: NotRequired[Annotated[str, Field(alias="permission_key")]]


class PublicApiKeys(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    created_by: Optional[uuid.UUID] = Field(alias="created_by")
    expires_at: datetime.datetime = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    last_used_at: Optional[datetime.datetime] = Field(alias="last_used_at")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    prefix: str = Field(alias="prefix")
    revoked_at: Optional[datetime.datetime] = Field(alias="revoked_at")


class PublicApiKeysInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="created_by")]]
    expires_at: Annotated[datetime.datetime, Field(alias="expires_at")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_used_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_used_at")]]
    name: Annotated[str, Field(alias="name")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    prefix: Annotated[str, Field(alias="prefix")]
    revoked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="revoked_at")]]


class PublicApiKeysUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="created_by")]]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_used_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_used_at")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    prefix: NotRequired[Annotated[str, Field(alias="prefix")]]
    revoked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="revoked_at")]]


class PublicAuditLog(BaseModel):
    action: Literal["insert", "update", "delete"] = Field(alias="action")
    actor_id: Optional[uuid.UUID] = Field(alias="actor_id")
    actor_kind: str = Field(alias="actor_kind")
    after: Optional[JsonValue] = Field(alias="after")
    before: Optional[JsonValue] = Field(alias="before")
    id: int = Field(alias="id")
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    request_id: Optional[str] = Field(alias="request_id")
    row_key: str = Field(alias="row_key")
    table_name: str = Field(alias="table_name")


class PublicAuditLogInsert(TypedDict):
    action: Annotated[Literal["insert", "update", "delete"], Field(alias="action")]
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_kind: Annotated[str, Field(alias="actor_kind")]
    after: NotRequired[Annotated[Optional[JsonValue], Field(alias="after")]]
    before: NotRequired[Annotated[Optional[JsonValue], Field(alias="before")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    request_id: NotRequired[Annotated[Optional[str], Field(alias="request_id")]]
    row_key: Annotated[str, Field(alias="row_key")]
    table_name: Annotated[str, Field(alias="table_name")]


class PublicAuditLogUpdate(TypedDict):
    action: NotRequired[Annotated[Literal["insert", "update", "delete"], Field(alias="action")]]
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_kind: NotRequired[Annotated[str, Field(alias="actor_kind")]]
    after: NotRequired[Annotated[Optional[JsonValue], Field(alias="after")]]
    before: NotRequired[Annotated[Optional[JsonValue], Field(alias="before")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    request_id: NotRequired[Annotated[Optional[str], Field(alias="request_id")]]
    row_key: NotRequired[Annotated[str, Field(alias="row_key")]]
    table_name: NotRequired[Annotated[str, Field(alias="table_name")]]


class PublicAuditLogPersonal(BaseModel):
    after: Optional[JsonValue] = Field(alias="after")
    before: Optional[JsonValue] = Field(alias="before")
    id: int = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    table_name: str = Field(alias="table_name")


class PublicAuditLogPersonalInsert(TypedDict):
    after: NotRequired[Annotated[Optional[JsonValue], Field(alias="after")]]
    before: NotRequired[Annotated[Optional[JsonValue], Field(alias="before")]]
    id: Annotated[int, Field(alias="id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    table_name: Annotated[str, Field(alias="table_name")]


class PublicAuditLogPersonalUpdate(TypedDict):
    after: NotRequired[Annotated[Optional[JsonValue], Field(alias="after")]]
    before: NotRequired[Annotated[Optional[JsonValue], Field(alias="before")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    table_name: NotRequired[Annotated[str, Field(alias="table_name")]]


class PublicBookingComments(BaseModel):
    body: str = Field(alias="body")
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    edited_at: Optional[datetime.datetime] = Field(alias="edited_at")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    written_by: JsonValue = Field(alias="written_by")


class PublicBookingCommentsInsert(TypedDict):
    body: Annotated[str, Field(alias="body")]
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    edited_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="edited_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    written_by: NotRequired[Annotated[JsonValue, Field(alias="written_by")]]


class PublicBookingCommentsUpdate(TypedDict):
    body: NotRequired[Annotated[str, Field(alias="body")]]
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    edited_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="edited_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    written_by: NotRequired[Annotated[JsonValue, Field(alias="written_by")]]


class PublicBookingContacts(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    contact_name: str = Field(alias="contact_name")
    contact_phone: Optional[str] = Field(alias="contact_phone")
    customer_note: str = Field(alias="customer_note")
    fields: JsonValue = Field(alias="fields")
    organization_id: uuid.UUID = Field(alias="organization_id")


class PublicBookingContactsInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    contact_name: Annotated[str, Field(alias="contact_name")]
    contact_phone: NotRequired[Annotated[Optional[str], Field(alias="contact_phone")]]
    customer_note: NotRequired[Annotated[str, Field(alias="customer_note")]]
    fields: NotRequired[Annotated[JsonValue, Field(alias="fields")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]


class PublicBookingContactsUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    contact_name: NotRequired[Annotated[str, Field(alias="contact_name")]]
    contact_phone: NotRequired[Annotated[Optional[str], Field(alias="contact_phone")]]
    customer_note: NotRequired[Annotated[str, Field(alias="customer_note")]]
    fields: NotRequired[Annotated[JsonValue, Field(alias="fields")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]


class PublicBookingExtras(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    extra_id: uuid.UUID = Field(alias="extra_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    quantity: int = Field(alias="quantity")
    units: int = Field(alias="units")


class PublicBookingExtrasInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    extra_id: Annotated[uuid.UUID, Field(alias="extra_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    quantity: Annotated[int, Field(alias="quantity")]
    units: Annotated[int, Field(alias="units")]


class PublicBookingExtrasUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    extra_id: NotRequired[Annotated[uuid.UUID, Field(alias="extra_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    quantity: NotRequired[Annotated[int, Field(alias="quantity")]]
    units: NotRequired[Annotated[int, Field(alias="units")]]


class PublicBookingHistory(BaseModel):
    actor_id: Optional[uuid.UUID] = Field(alias="actor_id")
    actor_kind: str = Field(alias="actor_kind")
    booking_id: uuid.UUID = Field(alias="booking_id")
    change: Optional[JsonValue] = Field(alias="change")
    from_status: Optional[str] = Field(alias="from_status")
    id: uuid.UUID = Field(alias="id")
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reason: Optional[str] = Field(alias="reason")
    refund: Optional[str] = Field(alias="refund")
    to_status: str = Field(alias="to_status")


class PublicBookingHistoryInsert(TypedDict):
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_kind: Annotated[str, Field(alias="actor_kind")]
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    change: NotRequired[Annotated[Optional[JsonValue], Field(alias="change")]]
    from_status: NotRequired[Annotated[Optional[str], Field(alias="from_status")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    reason: NotRequired[Annotated[Optional[str], Field(alias="reason")]]
    refund: NotRequired[Annotated[Optional[str], Field(alias="refund")]]
    to_status: Annotated[str, Field(alias="to_status")]


class PublicBookingHistoryUpdate(TypedDict):
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_kind: NotRequired[Annotated[str, Field(alias="actor_kind")]]
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    change: NotRequired[Annotated[Optional[JsonValue], Field(alias="change")]]
    from_status: NotRequired[Annotated[Optional[str], Field(alias="from_status")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[Optional[str], Field(alias="reason")]]
    refund: NotRequired[Annotated[Optional[str], Field(alias="refund")]]
    to_status: NotRequired[Annotated[str, Field(alias="to_status")]]


class PublicBookingLines(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    description: str = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    kind: Literal["base", "extra", "discount", "fee"] = Field(alias="kind")
    organization_id: uuid.UUID = Field(alias="organization_id")
    position: int = Field(alias="position")
    quantity: int = Field(alias="quantity")
    tax_cents: int = Field(alias="tax_cents")
    tax_rate_bp: int = Field(alias="tax_rate_bp")
    total_cents: int = Field(alias="total_cents")
    unit_cents: int = Field(alias="unit_cents")


class PublicBookingLinesInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    description: Annotated[str, Field(alias="description")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: Annotated[Literal["base", "extra", "discount", "fee"], Field(alias="kind")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    position: Annotated[int, Field(alias="position")]
    quantity: Annotated[int, Field(alias="quantity")]
    tax_cents: Annotated[int, Field(alias="tax_cents")]
    tax_rate_bp: Annotated[int, Field(alias="tax_rate_bp")]
    total_cents: Annotated[int, Field(alias="total_cents")]
    unit_cents: Annotated[int, Field(alias="unit_cents")]


class PublicBookingLinesUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[Literal["base", "extra", "discount", "fee"], Field(alias="kind")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    quantity: NotRequired[Annotated[int, Field(alias="quantity")]]
    tax_cents: NotRequired[Annotated[int, Field(alias="tax_cents")]]
    tax_rate_bp: NotRequired[Annotated[int, Field(alias="tax_rate_bp")]]
    total_cents: NotRequired[Annotated[int, Field(alias="total_cents")]]
    unit_cents: NotRequired[Annotated[int, Field(alias="unit_cents")]]


class PublicBookingMailProblems(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    problem: Literal["bounced", "complained", "failed", "suppressed", "limited", "dead"] = Field(
        alias="problem"
    )
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicBookingMailProblemsInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    problem: Annotated[
        Literal["bounced", "complained", "failed", "suppressed", "limited", "dead"],
        Field(alias="problem"),
    ]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicBookingMailProblemsUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    problem: NotRequired[
        Annotated[
            Literal["bounced", "complained", "failed", "suppressed", "limited", "dead"],
            Field(alias="problem"),
        ]
    ]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicBookingOrders(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reference: str = Field(alias="reference")
    source: Literal["widget", "direct", "marketplace", "api"] = Field(alias="source")


class PublicBookingOrdersInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    reference: Annotated[str, Field(alias="reference")]
    source: Annotated[Literal["widget", "direct", "marketplace", "api"], Field(alias="source")]


class PublicBookingOrdersUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reference: NotRequired[Annotated[str, Field(alias="reference")]]
    source: NotRequired[
        Annotated[Literal["widget", "direct", "marketplace", "api"], Field(alias="source")]
    ]


class PublicBookingPeople(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    email: Optional[str] = Field(alias="email")
    full_name: str = Field(alias="full_name")
    has_paid: bool = Field(alias="has_paid")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    phone: Optional[str] = Field(alias="phone")
    position: int = Field(alias="position")
    signature_id: Optional[uuid.UUID] = Field(alias="signature_id")
    signed_as: Optional[int] = Field(alias="signed_as")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicBookingPeopleInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    full_name: Annotated[str, Field(alias="full_name")]
    has_paid: NotRequired[Annotated[bool, Field(alias="has_paid")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    position: Annotated[int, Field(alias="position")]
    signature_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="signature_id")]]
    signed_as: NotRequired[Annotated[Optional[int], Field(alias="signed_as")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicBookingPeopleUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    full_name: NotRequired[Annotated[str, Field(alias="full_name")]]
    has_paid: NotRequired[Annotated[bool, Field(alias="has_paid")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    signature_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="signature_id")]]
    signed_as: NotRequired[Annotated[Optional[int], Field(alias="signed_as")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicBookingReasons(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    history_id: uuid.UUID = Field(alias="history_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reason: str = Field(alias="reason")


class PublicBookingReasonsInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    history_id: Annotated[uuid.UUID, Field(alias="history_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    reason: Annotated[str, Field(alias="reason")]


class PublicBookingReasonsUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    history_id: NotRequired[Annotated[uuid.UUID, Field(alias="history_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]


class PublicBookingTags(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    tag_id: uuid.UUID = Field(alias="tag_id")


class PublicBookingTagsInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    tag_id: Annotated[uuid.UUID, Field(alias="tag_id")]


class PublicBookingTagsUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    tag_id: NotRequired[Annotated[uuid.UUID, Field(alias="tag_id")]]


class PublicBookings(BaseModel):
    calendar_id: Optional[uuid.UUID] = Field(alias="calendar_id")
    cancel_refund: Optional[Literal["full", "terms", "none"]] = Field(alias="cancel_refund")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    customer_id: uuid.UUID = Field(alias="customer_id")
    due_now_cents: int = Field(alias="due_now_cents")
    exclusive: bool = Field(alias="exclusive")
    hold_expires_at: Optional[datetime.datetime] = Field(alias="hold_expires_at")
    hold_extended_at: Optional[datetime.datetime] = Field(alias="hold_extended_at")
    id: uuid.UUID = Field(alias="id")
    locale: str = Field(alias="locale")
    merged_into_id: Optional[uuid.UUID] = Field(alias="merged_into_id")
    order_id: Optional[uuid.UUID] = Field(alias="order_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    party_size: int = Field(alias="party_size")
    reference: str = Field(alias="reference")
    room_id: uuid.UUID = Field(alias="room_id")
    seats: int = Field(alias="seats")
    session_id: uuid.UUID = Field(alias="session_id")
    source: Literal["widget", "direct", "marketplace", "api"] = Field(alias="source")
    staff_note: str = Field(alias="staff_note")
    starts_at: datetime.datetime = Field(alias="starts_at")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    status_reason: Optional[str] = Field(alias="status_reason")
    takes_capacity: bool = Field(alias="takes_capacity")
    tax_cents: int = Field(alias="tax_cents")
    terms: Optional[JsonValue] = Field(alias="terms")
    total_cents: int = Field(alias="total_cents")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicBookingsInsert(TypedDict):
    calendar_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="calendar_id")]]
    cancel_refund: NotRequired[
        Annotated[Optional[Literal["full", "terms", "none"]], Field(alias="cancel_refund")]
    ]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    customer_id: Annotated[uuid.UUID, Field(alias="customer_id")]
    due_now_cents: Annotated[int, Field(alias="due_now_cents")]
    exclusive: NotRequired[Annotated[bool, Field(alias="exclusive")]]
    hold_expires_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="hold_expires_at")]
    ]
    hold_extended_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="hold_extended_at")]
    ]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: Annotated[str, Field(alias="locale")]
    merged_into_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="merged_into_id")]]
    order_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="order_id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    party_size: Annotated[int, Field(alias="party_size")]
    reference: Annotated[str, Field(alias="reference")]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    seats: Annotated[int, Field(alias="seats")]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    source: NotRequired[
        Annotated[Literal["widget", "direct", "marketplace", "api"], Field(alias="source")]
    ]
    staff_note: NotRequired[Annotated[str, Field(alias="staff_note")]]
    starts_at: Annotated[datetime.datetime, Field(alias="starts_at")]
    status: Annotated[
        Literal[
            "held",
            "pending",
            "confirmed",
            "checked_in",
            "in_progress",
            "completed",
            "no_show",
            "expired",
            "cancelled",
        ],
        Field(alias="status"),
    ]
    status_reason: NotRequired[Annotated[Optional[str], Field(alias="status_reason")]]
    takes_capacity: NotRequired[Annotated[bool, Field(alias="takes_capacity")]]
    tax_cents: Annotated[int, Field(alias="tax_cents")]
    terms: NotRequired[Annotated[Optional[JsonValue], Field(alias="terms")]]
    total_cents: Annotated[int, Field(alias="total_cents")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicBookingsUpdate(TypedDict):
    calendar_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="calendar_id")]]
    cancel_refund: NotRequired[
        Annotated[Optional[Literal["full", "terms", "none"]], Field(alias="cancel_refund")]
    ]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    customer_id: NotRequired[Annotated[uuid.UUID, Field(alias="customer_id")]]
    due_now_cents: NotRequired[Annotated[int, Field(alias="due_now_cents")]]
    exclusive: NotRequired[Annotated[bool, Field(alias="exclusive")]]
    hold_expires_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="hold_expires_at")]
    ]
    hold_extended_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="hold_extended_at")]
    ]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    merged_into_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="merged_into_id")]]
    order_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="order_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    party_size: NotRequired[Annotated[int, Field(alias="party_size")]]
    reference: NotRequired[Annotated[str, Field(alias="reference")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    seats: NotRequired[Annotated[int, Field(alias="seats")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    source: NotRequired[
        Annotated[Literal["widget", "direct", "marketplace", "api"], Field(alias="source")]
    ]
    staff_note: NotRequired[Annotated[str, Field(alias="staff_note")]]
    starts_at: NotRequired[Annotated[datetime.datetime, Field(alias="starts_at")]]
    status: NotRequired[
        Annotated[
            Literal[
                "held",
                "pending",
                "confirmed",
                "checked_in",
                "in_progress",
                "completed",
                "no_show",
                "expired",
                "cancelled",
            ],
            Field(alias="status"),
        ]
    ]
    status_reason: NotRequired[Annotated[Optional[str], Field(alias="status_reason")]]
    takes_capacity: NotRequired[Annotated[bool, Field(alias="takes_capacity")]]
    tax_cents: NotRequired[Annotated[int, Field(alias="tax_cents")]]
    terms: NotRequired[Annotated[Optional[JsonValue], Field(alias="terms")]]
    total_cents: NotRequired[Annotated[int, Field(alias="total_cents")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicCalendarBlockedDates(BaseModel):
    calendar_id: uuid.UUID = Field(alias="calendar_id")
    created_at: datetime.datetime = Field(alias="created_at")
    from_date: datetime.date = Field(alias="from_date")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reason: str = Field(alias="reason")
    to_date: datetime.date = Field(alias="to_date")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicCalendarBlockedDatesInsert(TypedDict):
    calendar_id: Annotated[uuid.UUID, Field(alias="calendar_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    from_date: Annotated[datetime.date, Field(alias="from_date")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    to_date: Annotated[datetime.date, Field(alias="to_date")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicCalendarBlockedDatesUpdate(TypedDict):
    calendar_id: NotRequired[Annotated[uuid.UUID, Field(alias="calendar_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    from_date: NotRequired[Annotated[datetime.date, Field(alias="from_date")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    to_date: NotRequired[Annotated[datetime.date, Field(alias="to_date")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicCalendarFeeds(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    created_by: Optional[uuid.UUID] = Field(alias="created_by")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    revoked_at: Optional[datetime.datetime] = Field(alias="revoked_at")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    support_entry_id: Optional[uuid.UUID] = Field(alias="support_entry_id")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")


class PublicCalendarFeedsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="created_by")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    revoked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="revoked_at")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    support_entry_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="support_entry_id")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicCalendarFeedsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="created_by")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    revoked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="revoked_at")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    support_entry_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="support_entry_id")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicCalendarFields(BaseModel):
    calendar_id: uuid.UUID = Field(alias="calendar_id")
    created_at: datetime.datetime = Field(alias="created_at")
    help: JsonValue = Field(alias="help")
    id: uuid.UUID = Field(alias="id")
    in_confirmation: bool = Field(alias="in_confirmation")
    key: str = Field(alias="key")
    kind: Literal["text", "textarea", "email", "phone", "number", "select", "checkbox", "date"] = (
        Field(alias="kind")
    )
    label: JsonValue = Field(alias="label")
    maximum_length: Optional[int] = Field(alias="maximum_length")
    minimum_length: Optional[int] = Field(alias="minimum_length")
    options: Optional[JsonValue] = Field(alias="options")
    organization_id: uuid.UUID = Field(alias="organization_id")
    pattern: Optional[str] = Field(alias="pattern")
    placeholder: JsonValue = Field(alias="placeholder")
    position: int = Field(alias="position")
    required: bool = Field(alias="required")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicCalendarFieldsInsert(TypedDict):
    calendar_id: Annotated[uuid.UUID, Field(alias="calendar_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    help: NotRequired[Annotated[JsonValue, Field(alias="help")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    in_confirmation: NotRequired[Annotated[bool, Field(alias="in_confirmation")]]
    key: Annotated[str, Field(alias="key")]
    kind: NotRequired[
        Annotated[
            Literal["text", "textarea", "email", "phone", "number", "select", "checkbox", "date"],
            Field(alias="kind"),
        ]
    ]
    label: Annotated[JsonValue, Field(alias="label")]
    maximum_length: NotRequired[Annotated[Optional[int], Field(alias="maximum_length")]]
    minimum_length: NotRequired[Annotated[Optional[int], Field(alias="minimum_length")]]
    options: NotRequired[Annotated[Optional[JsonValue], Field(alias="options")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    pattern: NotRequired[Annotated[Optional[str], Field(alias="pattern")]]
    placeholder: NotRequired[Annotated[JsonValue, Field(alias="placeholder")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    required: NotRequired[Annotated[bool, Field(alias="required")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicCalendarFieldsUpdate(TypedDict):
    calendar_id: NotRequired[Annotated[uuid.UUID, Field(alias="calendar_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    help: NotRequired[Annotated[JsonValue, Field(alias="help")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    in_confirmation: NotRequired[Annotated[bool, Field(alias="in_confirmation")]]
    key: NotRequired[Annotated[str, Field(alias="key")]]
    kind: NotRequired[
        Annotated[
            Literal["text", "textarea", "email", "phone", "number", "select", "checkbox", "date"],
            Field(alias="kind"),
        ]
    ]
    label: NotRequired[Annotated[JsonValue, Field(alias="label")]]
    maximum_length: NotRequired[Annotated[Optional[int], Field(alias="maximum_length")]]
    minimum_length: NotRequired[Annotated[Optional[int], Field(alias="minimum_length")]]
    options: NotRequired[Annotated[Optional[JsonValue], Field(alias="options")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    pattern: NotRequired[Annotated[Optional[str], Field(alias="pattern")]]
    placeholder: NotRequired[Annotated[JsonValue, Field(alias="placeholder")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    required: NotRequired[Annotated[bool, Field(alias="required")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicCalendarRooms(BaseModel):
    calendar_id: uuid.UUID = Field(alias="calendar_id")
    maximum_advance_days: Optional[int] = Field(alias="maximum_advance_days")
    minimum_notice_minutes: Optional[int] = Field(alias="minimum_notice_minutes")
    organization_id: uuid.UUID = Field(alias="organization_id")
    position: int = Field(alias="position")
    room_id: uuid.UUID = Field(alias="room_id")


class PublicCalendarRoomsInsert(TypedDict):
    calendar_id: Annotated[uuid.UUID, Field(alias="calendar_id")]
    maximum_advance_days: NotRequired[Annotated[Optional[int], Field(alias="maximum_advance_days")]]
    minimum_notice_minutes: NotRequired[
        Annotated[Optional[int], Field(alias="minimum_notice_minutes")]
    ]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]


class PublicCalendarRoomsUpdate(TypedDict):
    calendar_id: NotRequired[Annotated[uuid.UUID, Field(alias="calendar_id")]]
    maximum_advance_days: NotRequired[Annotated[Optional[int], Field(alias="maximum_advance_days")]]
    minimum_notice_minutes: NotRequired[
        Annotated[Optional[int], Field(alias="minimum_notice_minutes")]
    ]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]


class PublicCalendars(BaseModel):
    accent_color: Optional[str] = Field(alias="accent_color")
    confirm_by_email: bool = Field(alias="confirm_by_email")
    created_at: datetime.datetime = Field(alias="created_at")
    descriptions: JsonValue = Field(alias="descriptions")
    fee_kind: Literal["none", "booking", "person", "percent"] = Field(alias="fee_kind")
    fee_tax_rate_bp: int = Field(alias="fee_tax_rate_bp")
    fee_value: int = Field(alias="fee_value")
    flow: Literal["room_first", "date_first"] = Field(alias="flow")
    hold_minutes: int = Field(alias="hold_minutes")
    holds_per_address: int = Field(alias="holds_per_address")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    lapse_notice_minutes: Optional[int] = Field(alias="lapse_notice_minutes")
    locales: List[str] = Field(alias="locales")
    maximum_advance_days: int = Field(alias="maximum_advance_days")
    minimum_notice_minutes: int = Field(alias="minimum_notice_minutes")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    shows_taken_times: bool = Field(alias="shows_taken_times")
    site_url: Optional[str] = Field(alias="site_url")
    slug: str = Field(alias="slug")
    terms: JsonValue = Field(alias="terms")
    theme: Literal["auto", "light", "dark"] = Field(alias="theme")
    updated_at: datetime.datetime = Field(alias="updated_at")
    waitlist_minutes: Optional[int] = Field(alias="waitlist_minutes")


class PublicCalendarsInsert(TypedDict):
    accent_color: NotRequired[Annotated[Optional[str], Field(alias="accent_color")]]
    confirm_by_email: NotRequired[Annotated[bool, Field(alias="confirm_by_email")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    fee_kind: NotRequired[
        Annotated[Literal["none", "booking", "person", "percent"], Field(alias="fee_kind")]
    ]
    fee_tax_rate_bp: NotRequired[Annotated[int, Field(alias="fee_tax_rate_bp")]]
    fee_value: NotRequired[Annotated[int, Field(alias="fee_value")]]
    flow: NotRequired[Annotated[Literal["room_first", "date_first"], Field(alias="flow")]]
    hold_minutes: NotRequired[Annotated[int, Field(alias="hold_minutes")]]
    holds_per_address: NotRequired[Annotated[int, Field(alias="holds_per_address")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    lapse_notice_minutes: NotRequired[Annotated[Optional[int], Field(alias="lapse_notice_minutes")]]
    locales: NotRequired[Annotated[List[str], Field(alias="locales")]]
    maximum_advance_days: NotRequired[Annotated[int, Field(alias="maximum_advance_days")]]
    minimum_notice_minutes: NotRequired[Annotated[int, Field(alias="minimum_notice_minutes")]]
    name: Annotated[str, Field(alias="name")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    shows_taken_times: NotRequired[Annotated[bool, Field(alias="shows_taken_times")]]
    site_url: NotRequired[Annotated[Optional[str], Field(alias="site_url")]]
    slug: Annotated[str, Field(alias="slug")]
    terms: NotRequired[Annotated[JsonValue, Field(alias="terms")]]
    theme: NotRequired[Annotated[Literal["auto", "light", "dark"], Field(alias="theme")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    waitlist_minutes: NotRequired[Annotated[Optional[int], Field(alias="waitlist_minutes")]]


class PublicCalendarsUpdate(TypedDict):
    accent_color: NotRequired[Annotated[Optional[str], Field(alias="accent_color")]]
    confirm_by_email: NotRequired[Annotated[bool, Field(alias="confirm_by_email")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    fee_kind: NotRequired[
        Annotated[Literal["none", "booking", "person", "percent"], Field(alias="fee_kind")]
    ]
    fee_tax_rate_bp: NotRequired[Annotated[int, Field(alias="fee_tax_rate_bp")]]
    fee_value: NotRequired[Annotated[int, Field(alias="fee_value")]]
    flow: NotRequired[Annotated[Literal["room_first", "date_first"], Field(alias="flow")]]
    hold_minutes: NotRequired[Annotated[int, Field(alias="hold_minutes")]]
    holds_per_address: NotRequired[Annotated[int, Field(alias="holds_per_address")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    lapse_notice_minutes: NotRequired[Annotated[Optional[int], Field(alias="lapse_notice_minutes")]]
    locales: NotRequired[Annotated[List[str], Field(alias="locales")]]
    maximum_advance_days: NotRequired[Annotated[int, Field(alias="maximum_advance_days")]]
    minimum_notice_minutes: NotRequired[Annotated[int, Field(alias="minimum_notice_minutes")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    shows_taken_times: NotRequired[Annotated[bool, Field(alias="shows_taken_times")]]
    site_url: NotRequired[Annotated[Optional[str], Field(alias="site_url")]]
    slug: NotRequired[Annotated[str, Field(alias="slug")]]
    terms: NotRequired[Annotated[JsonValue, Field(alias="terms")]]
    theme: NotRequired[Annotated[Literal["auto", "light", "dark"], Field(alias="theme")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    waitlist_minutes: NotRequired[Annotated[Optional[int], Field(alias="waitlist_minutes")]]


class PublicCashDayLines(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    cash_day_id: uuid.UUID = Field(alias="cash_day_id")
    id: uuid.UUID = Field(alias="id")
    method: Literal["cash", "card_terminal", "transfer", "bizum"] = Field(alias="method")
    organization_id: uuid.UUID = Field(alias="organization_id")
    payment_id: Optional[uuid.UUID] = Field(alias="payment_id")
    recorded_by: JsonValue = Field(alias="recorded_by")
    refund_id: Optional[uuid.UUID] = Field(alias="refund_id")


class PublicCashDayLinesInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    cash_day_id: Annotated[uuid.UUID, Field(alias="cash_day_id")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    method: Annotated[Literal["cash", "card_terminal", "transfer", "bizum"], Field(alias="method")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    payment_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="payment_id")]]
    recorded_by: Annotated[JsonValue, Field(alias="recorded_by")]
    refund_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="refund_id")]]


class PublicCashDayLinesUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    cash_day_id: NotRequired[Annotated[uuid.UUID, Field(alias="cash_day_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    method: NotRequired[
        Annotated[Literal["cash", "card_terminal", "transfer", "bizum"], Field(alias="method")]
    ]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    payment_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="payment_id")]]
    recorded_by: NotRequired[Annotated[JsonValue, Field(alias="recorded_by")]]
    refund_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="refund_id")]]


class PublicCashDays(BaseModel):
    closed_at: Optional[datetime.datetime] = Field(alias="closed_at")
    closed_by: Optional[JsonValue] = Field(alias="closed_by")
    counted_bizum_cents: Optional[int] = Field(alias="counted_bizum_cents")
    counted_card_terminal_cents: Optional[int] = Field(alias="counted_card_terminal_cents")
    counted_cash_cents: Optional[int] = Field(alias="counted_cash_cents")
    counted_transfer_cents: Optional[int] = Field(alias="counted_transfer_cents")
    currency: str = Field(alias="currency")
    float_cents: int = Field(alias="float_cents")
    id: uuid.UUID = Field(alias="id")
    location_id: uuid.UUID = Field(alias="location_id")
    opened_at: datetime.datetime = Field(alias="opened_at")
    opened_by: JsonValue = Field(alias="opened_by")
    organization_id: uuid.UUID = Field(alias="organization_id")


class PublicCashDaysInsert(TypedDict):
    closed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="closed_at")]]
    closed_by: NotRequired[Annotated[Optional[JsonValue], Field(alias="closed_by")]]
    counted_bizum_cents: NotRequired[Annotated[Optional[int], Field(alias="counted_bizum_cents")]]
    counted_card_terminal_cents: NotRequired[
        Annotated[Optional[int], Field(alias="counted_card_terminal_cents")]
    ]
    counted_cash_cents: NotRequired[Annotated[Optional[int], Field(alias="counted_cash_cents")]]
    counted_transfer_cents: NotRequired[
        Annotated[Optional[int], Field(alias="counted_transfer_cents")]
    ]
    currency: Annotated[str, Field(alias="currency")]
    float_cents: Annotated[int, Field(alias="float_cents")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    location_id: Annotated[uuid.UUID, Field(alias="location_id")]
    opened_at: NotRequired[Annotated[datetime.datetime, Field(alias="opened_at")]]
    opened_by: NotRequired[Annotated[JsonValue, Field(alias="opened_by")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]


class PublicCashDaysUpdate(TypedDict):
    closed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="closed_at")]]
    closed_by: NotRequired[Annotated[Optional[JsonValue], Field(alias="closed_by")]]
    counted_bizum_cents: NotRequired[Annotated[Optional[int], Field(alias="counted_bizum_cents")]]
    counted_card_terminal_cents: NotRequired[
        Annotated[Optional[int], Field(alias="counted_card_terminal_cents")]
    ]
    counted_cash_cents: NotRequired[Annotated[Optional[int], Field(alias="counted_cash_cents")]]
    counted_transfer_cents: NotRequired[
        Annotated[Optional[int], Field(alias="counted_transfer_cents")]
    ]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    float_cents: NotRequired[Annotated[int, Field(alias="float_cents")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    location_id: NotRequired[Annotated[uuid.UUID, Field(alias="location_id")]]
    opened_at: NotRequired[Annotated[datetime.datetime, Field(alias="opened_at")]]
    opened_by: NotRequired[Annotated[JsonValue, Field(alias="opened_by")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]


class PublicChecklistItems(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    is_required: bool = Field(alias="is_required")
    organization_id: uuid.UUID = Field(alias="organization_id")
    phase: Literal["opening", "before_game", "reset"] = Field(alias="phase")
    position: int = Field(alias="position")
    room_id: uuid.UUID = Field(alias="room_id")
    title: str = Field(alias="title")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicChecklistItemsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_required: NotRequired[Annotated[bool, Field(alias="is_required")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phase: Annotated[Literal["opening", "before_game", "reset"], Field(alias="phase")]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    title: Annotated[str, Field(alias="title")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicChecklistItemsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_required: NotRequired[Annotated[bool, Field(alias="is_required")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phase: NotRequired[Annotated[Literal["opening", "before_game", "reset"], Field(alias="phase")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    title: NotRequired[Annotated[str, Field(alias="title")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicChecklistTicks(BaseModel):
    actor_id: Optional[uuid.UUID] = Field(alias="actor_id")
    actor_kind: str = Field(alias="actor_kind")
    item_id: uuid.UUID = Field(alias="item_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    session_id: uuid.UUID = Field(alias="session_id")
    ticked_at: datetime.datetime = Field(alias="ticked_at")


class PublicChecklistTicksInsert(TypedDict):
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_kind: Annotated[str, Field(alias="actor_kind")]
    item_id: Annotated[uuid.UUID, Field(alias="item_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    ticked_at: NotRequired[Annotated[datetime.datetime, Field(alias="ticked_at")]]


class PublicChecklistTicksUpdate(TypedDict):
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_kind: NotRequired[Annotated[str, Field(alias="actor_kind")]]
    item_id: NotRequired[Annotated[uuid.UUID, Field(alias="item_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    ticked_at: NotRequired[Annotated[datetime.datetime, Field(alias="ticked_at")]]


class PublicCouponRedemptions(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    coupon_id: uuid.UUID = Field(alias="coupon_id")
    created_at: datetime.datetime = Field(alias="created_at")
    discount_cents: int = Field(alias="discount_cents")
    organization_id: uuid.UUID = Field(alias="organization_id")


class PublicCouponRedemptionsInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    coupon_id: Annotated[uuid.UUID, Field(alias="coupon_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    discount_cents: Annotated[int, Field(alias="discount_cents")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]


class PublicCouponRedemptionsUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    coupon_id: NotRequired[Annotated[uuid.UUID, Field(alias="coupon_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    discount_cents: NotRequired[Annotated[int, Field(alias="discount_cents")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]


class PublicCouponRooms(BaseModel):
    coupon_id: uuid.UUID = Field(alias="coupon_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    room_id: uuid.UUID = Field(alias="room_id")


class PublicCouponRoomsInsert(TypedDict):
    coupon_id: Annotated[uuid.UUID, Field(alias="coupon_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]


class PublicCouponRoomsUpdate(TypedDict):
    coupon_id: NotRequired[Annotated[uuid.UUID, Field(alias="coupon_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]


class PublicCoupons(BaseModel):
    all_rooms: bool = Field(alias="all_rooms")
    code: str = Field(alias="code")
    created_at: datetime.datetime = Field(alias="created_at")
    description: str = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    kind: Literal["percent", "fixed"] = Field(alias="kind")
    maximum_uses: Optional[int] = Field(alias="maximum_uses")
    maximum_uses_per_customer: Optional[int] = Field(alias="maximum_uses_per_customer")
    minimum_cents: int = Field(alias="minimum_cents")
    organization_id: uuid.UUID = Field(alias="organization_id")
    status: Literal["active", "inactive"] = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    valid_from: Optional[datetime.date] = Field(alias="valid_from")
    valid_until: Optional[datetime.date] = Field(alias="valid_until")
    value: int = Field(alias="value")


class PublicCouponsInsert(TypedDict):
    all_rooms: NotRequired[Annotated[bool, Field(alias="all_rooms")]]
    code: Annotated[str, Field(alias="code")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: Annotated[Literal["percent", "fixed"], Field(alias="kind")]
    maximum_uses: NotRequired[Annotated[Optional[int], Field(alias="maximum_uses")]]
    maximum_uses_per_customer: NotRequired[
        Annotated[Optional[int], Field(alias="maximum_uses_per_customer")]
    ]
    minimum_cents: NotRequired[Annotated[int, Field(alias="minimum_cents")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    status: NotRequired[Annotated[Literal["active", "inactive"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    valid_from: NotRequired[Annotated[Optional[datetime.date], Field(alias="valid_from")]]
    valid_until: NotRequired[Annotated[Optional[datetime.date], Field(alias="valid_until")]]
    value: Annotated[int, Field(alias="value")]


class PublicCouponsUpdate(TypedDict):
    all_rooms: NotRequired[Annotated[bool, Field(alias="all_rooms")]]
    code: NotRequired[Annotated[str, Field(alias="code")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[Literal["percent", "fixed"], Field(alias="kind")]]
    maximum_uses: NotRequired[Annotated[Optional[int], Field(alias="maximum_uses")]]
    maximum_uses_per_customer: NotRequired[
        Annotated[Optional[int], Field(alias="maximum_uses_per_customer")]
    ]
    minimum_cents: NotRequired[Annotated[int, Field(alias="minimum_cents")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    status: NotRequired[Annotated[Literal["active", "inactive"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    valid_from: NotRequired[Annotated[Optional[datetime.date], Field(alias="valid_from")]]
    valid_until: NotRequired[Annotated[Optional[datetime.date], Field(alias="valid_until")]]
    value: NotRequired[Annotated[int, Field(alias="value")]]


class PublicCustomerConsents(BaseModel):
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    counts_from: Optional[datetime.datetime] = Field(alias="counts_from")
    customer_id: uuid.UUID = Field(alias="customer_id")
    granted: bool = Field(alias="granted")
    id: uuid.UUID = Field(alias="id")
    kind: Literal["terms", "marketing", "privacy"] = Field(alias="kind")
    locale: str = Field(alias="locale")
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    wording: str = Field(alias="wording")


class PublicCustomerConsentsInsert(TypedDict):
    booking_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="booking_id")]]
    counts_from: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="counts_from")]]
    customer_id: Annotated[uuid.UUID, Field(alias="customer_id")]
    granted: Annotated[bool, Field(alias="granted")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: Annotated[Literal["terms", "marketing", "privacy"], Field(alias="kind")]
    locale: Annotated[str, Field(alias="locale")]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    wording: NotRequired[Annotated[str, Field(alias="wording")]]


class PublicCustomerConsentsUpdate(TypedDict):
    booking_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="booking_id")]]
    counts_from: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="counts_from")]]
    customer_id: NotRequired[Annotated[uuid.UUID, Field(alias="customer_id")]]
    granted: NotRequired[Annotated[bool, Field(alias="granted")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[Literal["terms", "marketing", "privacy"], Field(alias="kind")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    wording: NotRequired[Annotated[str, Field(alias="wording")]]


class PublicCustomerErasures(BaseModel):
    customer_id: uuid.UUID = Field(alias="customer_id")
    erased_at: datetime.datetime = Field(alias="erased_at")
    erased_by: JsonValue = Field(alias="erased_by")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reason: str = Field(alias="reason")


class PublicCustomerErasuresInsert(TypedDict):
    customer_id: Annotated[uuid.UUID, Field(alias="customer_id")]
    erased_at: NotRequired[Annotated[datetime.datetime, Field(alias="erased_at")]]
    erased_by: NotRequired[Annotated[JsonValue, Field(alias="erased_by")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    reason: Annotated[str, Field(alias="reason")]


class PublicCustomerErasuresUpdate(TypedDict):
    customer_id: NotRequired[Annotated[uuid.UUID, Field(alias="customer_id")]]
    erased_at: NotRequired[Annotated[datetime.datetime, Field(alias="erased_at")]]
    erased_by: NotRequired[Annotated[JsonValue, Field(alias="erased_by")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]


class PublicCustomerTags(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    customer_id: uuid.UUID = Field(alias="customer_id")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    tag: str = Field(alias="tag")


class PublicCustomerTagsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    customer_id: Annotated[uuid.UUID, Field(alias="customer_id")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    tag: Annotated[str, Field(alias="tag")]


class PublicCustomerTagsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    customer_id: NotRequired[Annotated[uuid.UUID, Field(alias="customer_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    tag: NotRequired[Annotated[str, Field(alias="tag")]]


class PublicCustomers(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    email: Optional[str] = Field(alias="email")
    erased_at: Optional[datetime.datetime] = Field(alias="erased_at")
    full_name: str = Field(alias="full_name")
    id: uuid.UUID = Field(alias="id")
    locale: str = Field(alias="locale")
    organization_id: uuid.UUID = Field(alias="organization_id")
    phone: Optional[str] = Field(alias="phone")
    staff_note: str = Field(alias="staff_note")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicCustomersInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    erased_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="erased_at")]]
    full_name: Annotated[str, Field(alias="full_name")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: Annotated[str, Field(alias="locale")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    staff_note: NotRequired[Annotated[str, Field(alias="staff_note")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicCustomersUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    erased_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="erased_at")]]
    full_name: NotRequired[Annotated[str, Field(alias="full_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    staff_note: NotRequired[Annotated[str, Field(alias="staff_note")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicDisputes(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    as_of: datetime.datetime = Field(alias="as_of")
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    payment_id: uuid.UUID = Field(alias="payment_id")
    provider_dispute_id: str = Field(alias="provider_dispute_id")
    reason: str = Field(alias="reason")
    respond_by: Optional[datetime.datetime] = Field(alias="respond_by")
    status: str = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicDisputesInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    as_of: Annotated[datetime.datetime, Field(alias="as_of")]
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    payment_id: Annotated[uuid.UUID, Field(alias="payment_id")]
    provider_dispute_id: Annotated[str, Field(alias="provider_dispute_id")]
    reason: Annotated[str, Field(alias="reason")]
    respond_by: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="respond_by")]]
    status: Annotated[str, Field(alias="status")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicDisputesUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    as_of: NotRequired[Annotated[datetime.datetime, Field(alias="as_of")]]
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    payment_id: NotRequired[Annotated[uuid.UUID, Field(alias="payment_id")]]
    provider_dispute_id: NotRequired[Annotated[str, Field(alias="provider_dispute_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    respond_by: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="respond_by")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicEmailTemplateOverrides(BaseModel):
    body: Optional[str] = Field(alias="body")
    checked_at: Optional[datetime.datetime] = Field(alias="checked_at")
    created_at: datetime.datetime = Field(alias="created_at")
    is_sent: bool = Field(alias="is_sent")
    locale: str = Field(alias="locale")
    organization_id: uuid.UUID = Field(alias="organization_id")
    problem: Optional[JsonValue] = Field(alias="problem")
    subject: Optional[str] = Field(alias="subject")
    template: Literal[
        "auth",
        "booking_cancelled",
        "booking_confirmed",
        "booking_held",
        "booking_paid_late",
        "booking_pending",
        "booking_refunded",
        "booking_rescheduled",
        "booking_to_confirm",
        "day_board",
        "details_changed",
        "dispute_opened",
        "hold_lapsing",
        "invitation",
        "my_bookings",
        "notice",
        "notice_address",
        "notice_digest",
        "payment_received",
        "payment_request",
        "payment_share_news",
        "refund_promised",
        "reminder",
        "review_request",
        "share_to_pay",
        "subscription_overdue",
        "table_export_ready",
        "thanks",
        "voucher_bought",
        "voucher_issued",
        "waitlist_joined",
        "waitlist_offer",
        "waiver_request",
        "webhook_disabled",
    ] = Field(alias="template")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicEmailTemplateOverridesInsert(TypedDict):
    body: NotRequired[Annotated[Optional[str], Field(alias="body")]]
    checked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="checked_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    is_sent: NotRequired[Annotated[bool, Field(alias="is_sent")]]
    locale: Annotated[str, Field(alias="locale")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    problem: NotRequired[Annotated[Optional[JsonValue], Field(alias="problem")]]
    subject: NotRequired[Annotated[Optional[str], Field(alias="subject")]]
    template: Annotated[
        Literal[
            "auth",
            "booking_cancelled",
            "booking_confirmed",
            "booking_held",
            "booking_paid_late",
            "booking_pending",
            "booking_refunded",
            "booking_rescheduled",
            "booking_to_confirm",
            "day_board",
            "details_changed",
            "dispute_opened",
            "hold_lapsing",
            "invitation",
            "my_bookings",
            "notice",
            "notice_address",
            "notice_digest",
            "payment_received",
            "payment_request",
            "payment_share_news",
            "refund_promised",
            "reminder",
            "review_request",
            "share_to_pay",
            "subscription_overdue",
            "table_export_ready",
            "thanks",
            "voucher_bought",
            "voucher_issued",
            "waitlist_joined",
            "waitlist_offer",
            "waiver_request",
            "webhook_disabled",
        ],
        Field(alias="template"),
    ]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicEmailTemplateOverridesUpdate(TypedDict):
    body: NotRequired[Annotated[Optional[str], Field(alias="body")]]
    checked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="checked_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    is_sent: NotRequired[Annotated[bool, Field(alias="is_sent")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    problem: NotRequired[Annotated[Optional[JsonValue], Field(alias="problem")]]
    subject: NotRequired[Annotated[Optional[str], Field(alias="subject")]]
    template: NotRequired[
        Annotated[
            Literal[
                "auth",
                "booking_cancelled",
                "booking_confirmed",
                "booking_held",
                "booking_paid_late",
                "booking_pending",
                "booking_refunded",
                "booking_rescheduled",
                "booking_to_confirm",
                "day_board",
                "details_changed",
                "dispute_opened",
                "hold_lapsing",
                "invitation",
                "my_bookings",
                "notice",
                "notice_address",
                "notice_digest",
                "payment_received",
                "payment_request",
                "payment_share_news",
                "refund_promised",
                "reminder",
                "review_request",
                "share_to_pay",
                "subscription_overdue",
                "table_export_ready",
                "thanks",
                "voucher_bought",
                "voucher_issued",
                "waitlist_joined",
                "waitlist_offer",
                "waiver_request",
                "webhook_disabled",
            ],
            Field(alias="template"),
        ]
    ]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicExtraRooms(BaseModel):
    extra_id: uuid.UUID = Field(alias="extra_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    room_id: uuid.UUID = Field(alias="room_id")


class PublicExtraRoomsInsert(TypedDict):
    extra_id: Annotated[uuid.UUID, Field(alias="extra_id")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]


class PublicExtraRoomsUpdate(TypedDict):
    extra_id: NotRequired[Annotated[uuid.UUID, Field(alias="extra_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]


class PublicExtras(BaseModel):
    all_rooms: bool = Field(alias="all_rooms")
    created_at: datetime.datetime = Field(alias="created_at")
    descriptions: JsonValue = Field(alias="descriptions")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    maximum_quantity: int = Field(alias="maximum_quantity")
    names: JsonValue = Field(alias="names")
    organization_id: uuid.UUID = Field(alias="organization_id")
    position: int = Field(alias="position")
    price_cents: int = Field(alias="price_cents")
    price_per: Literal["booking", "person"] = Field(alias="price_per")
    stock_per_session: Optional[int] = Field(alias="stock_per_session")
    tax_rate_bp: int = Field(alias="tax_rate_bp")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicExtrasInsert(TypedDict):
    all_rooms: NotRequired[Annotated[bool, Field(alias="all_rooms")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    maximum_quantity: NotRequired[Annotated[int, Field(alias="maximum_quantity")]]
    names: Annotated[JsonValue, Field(alias="names")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    price_cents: Annotated[int, Field(alias="price_cents")]
    price_per: NotRequired[Annotated[Literal["booking", "person"], Field(alias="price_per")]]
    stock_per_session: NotRequired[Annotated[Optional[int], Field(alias="stock_per_session")]]
    tax_rate_bp: NotRequired[Annotated[int, Field(alias="tax_rate_bp")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicExtrasUpdate(TypedDict):
    all_rooms: NotRequired[Annotated[bool, Field(alias="all_rooms")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    maximum_quantity: NotRequired[Annotated[int, Field(alias="maximum_quantity")]]
    names: NotRequired[Annotated[JsonValue, Field(alias="names")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    price_cents: NotRequired[Annotated[int, Field(alias="price_cents")]]
    price_per: NotRequired[Annotated[Literal["booking", "person"], Field(alias="price_per")]]
    stock_per_session: NotRequired[Annotated[Optional[int], Field(alias="stock_per_session")]]
    tax_rate_bp: NotRequired[Annotated[int, Field(alias="tax_rate_bp")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicGameEvents(BaseModel):
    actor_id: Optional[uuid.UUID] = Field(alias="actor_id")
    actor_kind: str = Field(alias="actor_kind")
    duration_seconds: Optional[int] = Field(alias="duration_seconds")
    kind: Literal["started", "paused", "resumed", "hint", "finished", "reopened", "withdrawn"] = (
        Field(alias="kind")
    )
    note: str = Field(alias="note")
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    outcome: Optional[Literal["escaped", "failed", "aborted"]] = Field(alias="outcome")
    position: int = Field(alias="position")
    session_id: uuid.UUID = Field(alias="session_id")


class PublicGameEventsInsert(TypedDict):
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_kind: Annotated[str, Field(alias="actor_kind")]
    duration_seconds: NotRequired[Annotated[Optional[int], Field(alias="duration_seconds")]]
    kind: Annotated[
        Literal["started", "paused", "resumed", "hint", "finished", "reopened", "withdrawn"],
        Field(alias="kind"),
    ]
    note: NotRequired[Annotated[str, Field(alias="note")]]
    occurred_at: Annotated[datetime.datetime, Field(alias="occurred_at")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    outcome: NotRequired[
        Annotated[Optional[Literal["escaped", "failed", "aborted"]], Field(alias="outcome")]
    ]
    position: Annotated[int, Field(alias="position")]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]


class PublicGameEventsUpdate(TypedDict):
    actor_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="actor_id")]]
    actor_kind: NotRequired[Annotated[str, Field(alias="actor_kind")]]
    duration_seconds: NotRequired[Annotated[Optional[int], Field(alias="duration_seconds")]]
    kind: NotRequired[
        Annotated[
            Literal["started", "paused", "resumed", "hint", "finished", "reopened", "withdrawn"],
            Field(alias="kind"),
        ]
    ]
    note: NotRequired[Annotated[str, Field(alias="note")]]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    outcome: NotRequired[
        Annotated[Optional[Literal["escaped", "failed", "aborted"]], Field(alias="outcome")]
    ]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]


class PublicGameResults(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    consented_at: Optional[datetime.datetime] = Field(alias="consented_at")
    correction_reason: str = Field(alias="correction_reason")
    created_at: datetime.datetime = Field(alias="created_at")
    duration_seconds: int = Field(alias="duration_seconds")
    escape_seconds: Optional[int] = Field(alias="escape_seconds")
    hints: int = Field(alias="hints")
    is_by_hand: bool = Field(alias="is_by_hand")
    is_public: bool = Field(alias="is_public")
    language: Optional[str] = Field(alias="language")
    level: Optional[Literal["easy", "normal", "hard", "expert"]] = Field(alias="level")
    name_status: Literal["pending", "approved", "rejected"] = Field(alias="name_status")
    notes: str = Field(alias="notes")
    organization_id: uuid.UUID = Field(alias="organization_id")
    outcome: Literal["escaped", "failed", "aborted"] = Field(alias="outcome")
    pauses: int = Field(alias="pauses")
    played_at: datetime.datetime = Field(alias="played_at")
    room_id: uuid.UUID = Field(alias="room_id")
    session_id: uuid.UUID = Field(alias="session_id")
    team_name: Optional[str] = Field(alias="team_name")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicGameResultsInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    consented_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="consented_at")]]
    correction_reason: NotRequired[Annotated[str, Field(alias="correction_reason")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    duration_seconds: Annotated[int, Field(alias="duration_seconds")]
    escape_seconds: NotRequired[Annotated[Optional[int], Field(alias="escape_seconds")]]
    hints: NotRequired[Annotated[int, Field(alias="hints")]]
    is_by_hand: NotRequired[Annotated[bool, Field(alias="is_by_hand")]]
    is_public: NotRequired[Annotated[bool, Field(alias="is_public")]]
    language: NotRequired[Annotated[Optional[str], Field(alias="language")]]
    level: NotRequired[
        Annotated[Optional[Literal["easy", "normal", "hard", "expert"]], Field(alias="level")]
    ]
    name_status: NotRequired[
        Annotated[Literal["pending", "approved", "rejected"], Field(alias="name_status")]
    ]
    notes: NotRequired[Annotated[str, Field(alias="notes")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    outcome: Annotated[Literal["escaped", "failed", "aborted"], Field(alias="outcome")]
    pauses: NotRequired[Annotated[int, Field(alias="pauses")]]
    played_at: Annotated[datetime.datetime, Field(alias="played_at")]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    team_name: NotRequired[Annotated[Optional[str], Field(alias="team_name")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicGameResultsUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    consented_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="consented_at")]]
    correction_reason: NotRequired[Annotated[str, Field(alias="correction_reason")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    duration_seconds: NotRequired[Annotated[int, Field(alias="duration_seconds")]]
    escape_seconds: NotRequired[Annotated[Optional[int], Field(alias="escape_seconds")]]
    hints: NotRequired[Annotated[int, Field(alias="hints")]]
    is_by_hand: NotRequired[Annotated[bool, Field(alias="is_by_hand")]]
    is_public: NotRequired[Annotated[bool, Field(alias="is_public")]]
    language: NotRequired[Annotated[Optional[str], Field(alias="language")]]
    level: NotRequired[
        Annotated[Optional[Literal["easy", "normal", "hard", "expert"]], Field(alias="level")]
    ]
    name_status: NotRequired[
        Annotated[Literal["pending", "approved", "rejected"], Field(alias="name_status")]
    ]
    notes: NotRequired[Annotated[str, Field(alias="notes")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    outcome: NotRequired[Annotated[Literal["escaped", "failed", "aborted"], Field(alias="outcome")]]
    pauses: NotRequired[Annotated[int, Field(alias="pauses")]]
    played_at: NotRequired[Annotated[datetime.datetime, Field(alias="played_at")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    team_name: NotRequired[Annotated[Optional[str], Field(alias="team_name")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicInvitations(BaseModel):
    accepted_at: Optional[datetime.datetime] = Field(alias="accepted_at")
    accepted_by: Optional[uuid.UUID] = Field(alias="accepted_by")
    created_at: datetime.datetime = Field(alias="created_at")
    email: str = Field(alias="email")
    expires_at: datetime.datetime = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    invited_by: Optional[uuid.UUID] = Field(alias="invited_by")
    locale: str = Field(alias="locale")
    organization_id: uuid.UUID = Field(alias="organization_id")
    revoked_at: Optional[datetime.datetime] = Field(alias="revoked_at")
    role_id: uuid.UUID = Field(alias="role_id")


class PublicInvitationsInsert(TypedDict):
    accepted_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="accepted_at")]]
    accepted_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="accepted_by")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: Annotated[str, Field(alias="email")]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    invited_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="invited_by")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    revoked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="revoked_at")]]
    role_id: Annotated[uuid.UUID, Field(alias="role_id")]


class PublicInvitationsUpdate(TypedDict):
    accepted_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="accepted_at")]]
    accepted_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="accepted_by")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[str, Field(alias="email")]]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    invited_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="invited_by")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    revoked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="revoked_at")]]
    role_id: NotRequired[Annotated[uuid.UUID, Field(alias="role_id")]]


class PublicLateArrivals(BaseModel):
    agreed_ends_at: datetime.datetime = Field(alias="agreed_ends_at")
    agreed_starts_at: datetime.datetime = Field(alias="agreed_starts_at")
    agreed_until: datetime.datetime = Field(alias="agreed_until")
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    minutes: int = Field(alias="minutes")
    organization_id: uuid.UUID = Field(alias="organization_id")
    outcome: Literal["shifted", "shorter_offered", "shortened", "noted"] = Field(alias="outcome")
    session_id: uuid.UUID = Field(alias="session_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicLateArrivalsInsert(TypedDict):
    agreed_ends_at: Annotated[datetime.datetime, Field(alias="agreed_ends_at")]
    agreed_starts_at: Annotated[datetime.datetime, Field(alias="agreed_starts_at")]
    agreed_until: Annotated[datetime.datetime, Field(alias="agreed_until")]
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    minutes: Annotated[int, Field(alias="minutes")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    outcome: Annotated[
        Literal["shifted", "shorter_offered", "shortened", "noted"], Field(alias="outcome")
    ]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicLateArrivalsUpdate(TypedDict):
    agreed_ends_at: NotRequired[Annotated[datetime.datetime, Field(alias="agreed_ends_at")]]
    agreed_starts_at: NotRequired[Annotated[datetime.datetime, Field(alias="agreed_starts_at")]]
    agreed_until: NotRequired[Annotated[datetime.datetime, Field(alias="agreed_until")]]
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    minutes: NotRequired[Annotated[int, Field(alias="minutes")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    outcome: NotRequired[
        Annotated[
            Literal["shifted", "shorter_offered", "shortened", "noted"], Field(alias="outcome")
        ]
    ]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicLedgerEntries(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    credit: str = Field(alias="credit")
    currency: str = Field(alias="currency")
    debit: str = Field(alias="debit")
    id: uuid.UUID = Field(alias="id")
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    source: Literal[
        "payment",
        "refund",
        "booking",
        "voucher_entry",
        "voucher",
        "dispute",
        "cash_day",
        "voucher_order",
        "voucher_refund",
        "voucher_dispute",
    ] = Field(alias="source")
    source_id: uuid.UUID = Field(alias="source_id")
    step: int = Field(alias="step")
    tax_rate_bp: Optional[int] = Field(alias="tax_rate_bp")


class PublicLedgerEntriesInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    booking_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    credit: Annotated[str, Field(alias="credit")]
    currency: Annotated[str, Field(alias="currency")]
    debit: Annotated[str, Field(alias="debit")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    occurred_at: Annotated[datetime.datetime, Field(alias="occurred_at")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    source: Annotated[
        Literal[
            "payment",
            "refund",
            "booking",
            "voucher_entry",
            "voucher",
            "dispute",
            "cash_day",
            "voucher_order",
            "voucher_refund",
            "voucher_dispute",
        ],
        Field(alias="source"),
    ]
    source_id: Annotated[uuid.UUID, Field(alias="source_id")]
    step: Annotated[int, Field(alias="step")]
    tax_rate_bp: NotRequired[Annotated[Optional[int], Field(alias="tax_rate_bp")]]


class PublicLedgerEntriesUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    booking_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    credit: NotRequired[Annotated[str, Field(alias="credit")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    debit: NotRequired[Annotated[str, Field(alias="debit")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    source: NotRequired[
        Annotated[
            Literal[
                "payment",
                "refund",
                "booking",
                "voucher_entry",
                "voucher",
                "dispute",
                "cash_day",
                "voucher_order",
                "voucher_refund",
                "voucher_dispute",
            ],
            Field(alias="source"),
        ]
    ]
    source_id: NotRequired[Annotated[uuid.UUID, Field(alias="source_id")]]
    step: NotRequired[Annotated[int, Field(alias="step")]]
    tax_rate_bp: NotRequired[Annotated[Optional[int], Field(alias="tax_rate_bp")]]


class PublicLocations(BaseModel):
    address: str = Field(alias="address")
    arrival_hints: JsonValue = Field(alias="arrival_hints")
    check_in_hours: int = Field(alias="check_in_hours")
    city: str = Field(alias="city")
    country: Optional[str] = Field(alias="country")
    created_at: datetime.datetime = Field(alias="created_at")
    details_changed_at: Optional[datetime.datetime] = Field(alias="details_changed_at")
    directions: JsonValue = Field(alias="directions")
    id: uuid.UUID = Field(alias="id")
    latitude: Optional[float] = Field(alias="latitude")
    longitude: Optional[float] = Field(alias="longitude")
    name: str = Field(alias="name")
    no_show_minutes: int = Field(alias="no_show_minutes")
    organization_id: uuid.UUID = Field(alias="organization_id")
    phone: Optional[str] = Field(alias="phone")
    postal_code: str = Field(alias="postal_code")
    province: str = Field(alias="province")
    tells_changes: bool = Field(alias="tells_changes")
    timezone: str = Field(alias="timezone")
    undo_hours: int = Field(alias="undo_hours")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicLocationsInsert(TypedDict):
    address: NotRequired[Annotated[str, Field(alias="address")]]
    arrival_hints: NotRequired[Annotated[JsonValue, Field(alias="arrival_hints")]]
    check_in_hours: NotRequired[Annotated[int, Field(alias="check_in_hours")]]
    city: NotRequired[Annotated[str, Field(alias="city")]]
    country: NotRequired[Annotated[Optional[str], Field(alias="country")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    details_changed_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="details_changed_at")]
    ]
    directions: NotRequired[Annotated[JsonValue, Field(alias="directions")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    latitude: NotRequired[Annotated[Optional[float], Field(alias="latitude")]]
    longitude: NotRequired[Annotated[Optional[float], Field(alias="longitude")]]
    name: Annotated[str, Field(alias="name")]
    no_show_minutes: NotRequired[Annotated[int, Field(alias="no_show_minutes")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    postal_code: NotRequired[Annotated[str, Field(alias="postal_code")]]
    province: NotRequired[Annotated[str, Field(alias="province")]]
    tells_changes: NotRequired[Annotated[bool, Field(alias="tells_changes")]]
    timezone: Annotated[str, Field(alias="timezone")]
    undo_hours: NotRequired[Annotated[int, Field(alias="undo_hours")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicLocationsUpdate(TypedDict):
    address: NotRequired[Annotated[str, Field(alias="address")]]
    arrival_hints: NotRequired[Annotated[JsonValue, Field(alias="arrival_hints")]]
    check_in_hours: NotRequired[Annotated[int, Field(alias="check_in_hours")]]
    city: NotRequired[Annotated[str, Field(alias="city")]]
    country: NotRequired[Annotated[Optional[str], Field(alias="country")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    details_changed_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="details_changed_at")]
    ]
    directions: NotRequired[Annotated[JsonValue, Field(alias="directions")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    latitude: NotRequired[Annotated[Optional[float], Field(alias="latitude")]]
    longitude: NotRequired[Annotated[Optional[float], Field(alias="longitude")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    no_show_minutes: NotRequired[Annotated[int, Field(alias="no_show_minutes")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    postal_code: NotRequired[Annotated[str, Field(alias="postal_code")]]
    province: NotRequired[Annotated[str, Field(alias="province")]]
    tells_changes: NotRequired[Annotated[bool, Field(alias="tells_changes")]]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    undo_hours: NotRequired[Annotated[int, Field(alias="undo_hours")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicMemberBars(BaseModel):
    barred_at: datetime.datetime = Field(alias="barred_at")
    barred_by: Optional[uuid.UUID] = Field(alias="barred_by")
    cause: Literal["suspended", "removed"] = Field(alias="cause")
    email: Optional[str] = Field(alias="email")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    other_emails: List[str] = Field(alias="other_emails")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")


class PublicMemberBarsInsert(TypedDict):
    barred_at: NotRequired[Annotated[datetime.datetime, Field(alias="barred_at")]]
    barred_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="barred_by")]]
    cause: Annotated[Literal["suspended", "removed"], Field(alias="cause")]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    other_emails: NotRequired[Annotated[List[str], Field(alias="other_emails")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicMemberBarsUpdate(TypedDict):
    barred_at: NotRequired[Annotated[datetime.datetime, Field(alias="barred_at")]]
    barred_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="barred_by")]]
    cause: NotRequired[Annotated[Literal["suspended", "removed"], Field(alias="cause")]]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    other_emails: NotRequired[Annotated[List[str], Field(alias="other_emails")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicMemberships(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    role_id: uuid.UUID = Field(alias="role_id")
    status: Literal["active", "suspended"] = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicMembershipsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    role_id: Annotated[uuid.UUID, Field(alias="role_id")]
    status: NotRequired[Annotated[Literal["active", "suspended"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicMembershipsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    role_id: NotRequired[Annotated[uuid.UUID, Field(alias="role_id")]]
    status: NotRequired[Annotated[Literal["active", "suspended"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicMessageRuleRooms(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    room_id: uuid.UUID = Field(alias="room_id")
    rule_id: uuid.UUID = Field(alias="rule_id")


class PublicMessageRuleRoomsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    rule_id: Annotated[uuid.UUID, Field(alias="rule_id")]


class PublicMessageRuleRoomsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    rule_id: NotRequired[Annotated[uuid.UUID, Field(alias="rule_id")]]


class PublicMessageRules(BaseModel):
    all_rooms: bool = Field(alias="all_rooms")
    at_time: Optional[datetime.time] = Field(alias="at_time")
    counted_from: Literal["start", "end"] = Field(alias="counted_from")
    counts_from: datetime.datetime = Field(alias="counts_from")
    created_at: datetime.datetime = Field(alias="created_at")
    days: Optional[int] = Field(alias="days")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    kind: Literal["reminder", "thanks", "payment_request", "review_request", "waiver_request"] = (
        Field(alias="kind")
    )
    locales: Optional[List[str]] = Field(alias="locales")
    minutes: Optional[int] = Field(alias="minutes")
    organization_id: uuid.UUID = Field(alias="organization_id")
    review_url: Optional[str] = Field(alias="review_url")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicMessageRulesInsert(TypedDict):
    all_rooms: NotRequired[Annotated[bool, Field(alias="all_rooms")]]
    at_time: NotRequired[Annotated[Optional[datetime.time], Field(alias="at_time")]]
    counted_from: NotRequired[Annotated[Literal["start", "end"], Field(alias="counted_from")]]
    counts_from: NotRequired[Annotated[datetime.datetime, Field(alias="counts_from")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    days: NotRequired[Annotated[Optional[int], Field(alias="days")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    kind: Annotated[
        Literal["reminder", "thanks", "payment_request", "review_request", "waiver_request"],
        Field(alias="kind"),
    ]
    locales: NotRequired[Annotated[Optional[List[str]], Field(alias="locales")]]
    minutes: NotRequired[Annotated[Optional[int], Field(alias="minutes")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    review_url: NotRequired[Annotated[Optional[str], Field(alias="review_url")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicMessageRulesUpdate(TypedDict):
    all_rooms: NotRequired[Annotated[bool, Field(alias="all_rooms")]]
    at_time: NotRequired[Annotated[Optional[datetime.time], Field(alias="at_time")]]
    counted_from: NotRequired[Annotated[Literal["start", "end"], Field(alias="counted_from")]]
    counts_from: NotRequired[Annotated[datetime.datetime, Field(alias="counts_from")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    days: NotRequired[Annotated[Optional[int], Field(alias="days")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    kind: NotRequired[
        Annotated[
            Literal["reminder", "thanks", "payment_request", "review_request", "waiver_request"],
            Field(alias="kind"),
        ]
    ]
    locales: NotRequired[Annotated[Optional[List[str]], Field(alias="locales")]]
    minutes: NotRequired[Annotated[Optional[int], Field(alias="minutes")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    review_url: NotRequired[Annotated[Optional[str], Field(alias="review_url")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicMonthlyReportRecipients(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    day_of_month: int = Field(alias="day_of_month")
    hour_of_day: int = Field(alias="hour_of_day")
    next_at: datetime.datetime = Field(alias="next_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicMonthlyReportRecipientsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    day_of_month: NotRequired[Annotated[int, Field(alias="day_of_month")]]
    hour_of_day: NotRequired[Annotated[int, Field(alias="hour_of_day")]]
    next_at: Annotated[datetime.datetime, Field(alias="next_at")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicMonthlyReportRecipientsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    day_of_month: NotRequired[Annotated[int, Field(alias="day_of_month")]]
    hour_of_day: NotRequired[Annotated[int, Field(alias="hour_of_day")]]
    next_at: NotRequired[Annotated[datetime.datetime, Field(alias="next_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicNoticeAddresses(BaseModel):
    asked_at: datetime.datetime = Field(alias="asked_at")
    confirmed_at: Optional[datetime.datetime] = Field(alias="confirmed_at")
    created_at: datetime.datetime = Field(alias="created_at")
    email: str = Field(alias="email")
    id: uuid.UUID = Field(alias="id")
    locale: str = Field(alias="locale")
    organization_id: uuid.UUID = Field(alias="organization_id")
    stopped_at: Optional[datetime.datetime] = Field(alias="stopped_at")


class PublicNoticeAddressesInsert(TypedDict):
    asked_at: NotRequired[Annotated[datetime.datetime, Field(alias="asked_at")]]
    confirmed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="confirmed_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: Annotated[str, Field(alias="email")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: Annotated[str, Field(alias="locale")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    stopped_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="stopped_at")]]


class PublicNoticeAddressesUpdate(TypedDict):
    asked_at: NotRequired[Annotated[datetime.datetime, Field(alias="asked_at")]]
    confirmed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="confirmed_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[str, Field(alias="email")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    stopped_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="stopped_at")]]


class PublicNoticeRuleAddresses(BaseModel):
    address_id: uuid.UUID = Field(alias="address_id")
    created_at: datetime.datetime = Field(alias="created_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    rule_id: uuid.UUID = Field(alias="rule_id")


class PublicNoticeRuleAddressesInsert(TypedDict):
    address_id: Annotated[uuid.UUID, Field(alias="address_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    rule_id: Annotated[uuid.UUID, Field(alias="rule_id")]


class PublicNoticeRuleAddressesUpdate(TypedDict):
    address_id: NotRequired[Annotated[uuid.UUID, Field(alias="address_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    rule_id: NotRequired[Annotated[uuid.UUID, Field(alias="rule_id")]]


class PublicNoticeRuleMembers(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    rule_id: uuid.UUID = Field(alias="rule_id")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicNoticeRuleMembersInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    rule_id: Annotated[uuid.UUID, Field(alias="rule_id")]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicNoticeRuleMembersUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    rule_id: NotRequired[Annotated[uuid.UUID, Field(alias="rule_id")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicNoticeRuleRooms(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    room_id: uuid.UUID = Field(alias="room_id")
    rule_id: uuid.UUID = Field(alias="rule_id")


class PublicNoticeRuleRoomsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    rule_id: Annotated[uuid.UUID, Field(alias="rule_id")]


class PublicNoticeRuleRoomsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    rule_id: NotRequired[Annotated[uuid.UUID, Field(alias="rule_id")]]


class PublicNoticeRules(BaseModel):
    all_rooms: bool = Field(alias="all_rooms")
    counts_from: datetime.datetime = Field(alias="counts_from")
    created_at: datetime.datetime = Field(alias="created_at")
    digest_at: Optional[datetime.time] = Field(alias="digest_at")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    kinds: List[str] = Field(alias="kinds")
    last_minute_hours: Optional[int] = Field(alias="last_minute_hours")
    organization_id: uuid.UUID = Field(alias="organization_id")
    to_owners: bool = Field(alias="to_owners")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicNoticeRulesInsert(TypedDict):
    all_rooms: NotRequired[Annotated[bool, Field(alias="all_rooms")]]
    counts_from: NotRequired[Annotated[datetime.datetime, Field(alias="counts_from")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    digest_at: NotRequired[Annotated[Optional[datetime.time], Field(alias="digest_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    kinds: Annotated[List[str], Field(alias="kinds")]
    last_minute_hours: NotRequired[Annotated[Optional[int], Field(alias="last_minute_hours")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    to_owners: NotRequired[Annotated[bool, Field(alias="to_owners")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicNoticeRulesUpdate(TypedDict):
    all_rooms: NotRequired[Annotated[bool, Field(alias="all_rooms")]]
    counts_from: NotRequired[Annotated[datetime.datetime, Field(alias="counts_from")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    digest_at: NotRequired[Annotated[Optional[datetime.time], Field(alias="digest_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    kinds: NotRequired[Annotated[List[str], Field(alias="kinds")]]
    last_minute_hours: NotRequired[Annotated[Optional[int], Field(alias="last_minute_hours")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    to_owners: NotRequired[Annotated[bool, Field(alias="to_owners")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicNotificationPreferences(BaseModel):
    in_app: bool = Field(alias="in_app")
    mail: bool = Field(alias="mail")
    organization_id: uuid.UUID = Field(alias="organization_id")
    type: Literal[
        "booking_new",
        "booking_changed",
        "booking_cancelled",
        "booking_paid_late",
        "payment_disputed",
        "mail_problem",
        "last_minute",
        "session_assigned",
        "session_released",
        "session_changed",
        "day_board",
    ] = Field(alias="type")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicNotificationPreferencesInsert(TypedDict):
    in_app: Annotated[bool, Field(alias="in_app")]
    mail: Annotated[bool, Field(alias="mail")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    type: Annotated[
        Literal[
            "booking_new",
            "booking_changed",
            "booking_cancelled",
            "booking_paid_late",
            "payment_disputed",
            "mail_problem",
            "last_minute",
            "session_assigned",
            "session_released",
            "session_changed",
            "day_board",
        ],
        Field(alias="type"),
    ]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicNotificationPreferencesUpdate(TypedDict):
    in_app: NotRequired[Annotated[bool, Field(alias="in_app")]]
    mail: NotRequired[Annotated[bool, Field(alias="mail")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    type: NotRequired[
        Annotated[
            Literal[
                "booking_new",
                "booking_changed",
                "booking_cancelled",
                "booking_paid_late",
                "payment_disputed",
                "mail_problem",
                "last_minute",
                "session_assigned",
                "session_released",
                "session_changed",
                "day_board",
            ],
            Field(alias="type"),
        ]
    ]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicNotifications(BaseModel):
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    data: JsonValue = Field(alias="data")
    event_id: Optional[uuid.UUID] = Field(alias="event_id")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    read_at: Optional[datetime.datetime] = Field(alias="read_at")
    type: Literal[
        "booking_new",
        "booking_changed",
        "booking_cancelled",
        "booking_paid_late",
        "payment_disputed",
        "mail_problem",
        "last_minute",
        "session_assigned",
        "session_released",
        "session_changed",
        "day_board",
    ] = Field(alias="type")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicNotificationsInsert(TypedDict):
    booking_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="booking_id")]]
    created_at: Annotated[datetime.datetime, Field(alias="created_at")]
    data: Annotated[JsonValue, Field(alias="data")]
    event_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="event_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    read_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="read_at")]]
    type: Annotated[
        Literal[
            "booking_new",
            "booking_changed",
            "booking_cancelled",
            "booking_paid_late",
            "payment_disputed",
            "mail_problem",
            "last_minute",
            "session_assigned",
            "session_released",
            "session_changed",
            "day_board",
        ],
        Field(alias="type"),
    ]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicNotificationsUpdate(TypedDict):
    booking_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    data: NotRequired[Annotated[JsonValue, Field(alias="data")]]
    event_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="event_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    read_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="read_at")]]
    type: NotRequired[
        Annotated[
            Literal[
                "booking_new",
                "booking_changed",
                "booking_cancelled",
                "booking_paid_late",
                "payment_disputed",
                "mail_problem",
                "last_minute",
                "session_assigned",
                "session_released",
                "session_changed",
                "day_board",
            ],
            Field(alias="type"),
        ]
    ]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicOrganizationExports(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    finished_at: Optional[datetime.datetime] = Field(alias="finished_at")
    id: uuid.UUID = Field(alias="id")
    object_path: Optional[str] = Field(alias="object_path")
    organization_id: uuid.UUID = Field(alias="organization_id")
    requested_by: Optional[uuid.UUID] = Field(alias="requested_by")
    row_count: Optional[int] = Field(alias="row_count")
    status: Literal["queued", "finished", "failed"] = Field(alias="status")


class PublicOrganizationExportsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    finished_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="finished_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    object_path: NotRequired[Annotated[Optional[str], Field(alias="object_path")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    requested_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="requested_by")]]
    row_count: NotRequired[Annotated[Optional[int], Field(alias="row_count")]]
    status: NotRequired[Annotated[Literal["queued", "finished", "failed"], Field(alias="status")]]


class PublicOrganizationExportsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    finished_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="finished_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    object_path: NotRequired[Annotated[Optional[str], Field(alias="object_path")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    requested_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="requested_by")]]
    row_count: NotRequired[Annotated[Optional[int], Field(alias="row_count")]]
    status: NotRequired[Annotated[Literal["queued", "finished", "failed"], Field(alias="status")]]


class PublicOrganizations(BaseModel):
    business_type: Optional[
        Literal[
            "escape_room",
            "outdoor_game",
            "virtual_reality",
            "laser_tag",
            "board_games",
            "activity_center",
            "other",
        ]
    ] = Field(alias="business_type")
    closed_at: Optional[datetime.datetime] = Field(alias="closed_at")
    contact_email: Optional[str] = Field(alias="contact_email")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    delayed_methods: bool = Field(alias="delayed_methods")
    descriptions: JsonValue = Field(alias="descriptions")
    id: uuid.UUID = Field(alias="id")
    late_shares: Literal["organizer", "release"] = Field(alias="late_shares")
    legal_name: Optional[str] = Field(alias="legal_name")
    locale: str = Field(alias="locale")
    logo_path: Optional[str] = Field(alias="logo_path")
    name: str = Field(alias="name")
    pay_at_venue: bool = Field(alias="pay_at_venue")
    phone: Optional[str] = Field(alias="phone")
    rest_online_minutes: Optional[int] = Field(alias="rest_online_minutes")
    sales_end_at: Optional[datetime.datetime] = Field(alias="sales_end_at")
    slug: str = Field(alias="slug")
    small_amounts: Literal["at_venue", "round_up"] = Field(alias="small_amounts")
    split_hold_hours: Optional[int] = Field(alias="split_hold_hours")
    status: Literal["active", "suspended", "closed"] = Field(alias="status")
    tax_id: Optional[str] = Field(alias="tax_id")
    timezone: str = Field(alias="timezone")
    updated_at: datetime.datetime = Field(alias="updated_at")
    website: Optional[str] = Field(alias="website")
    writes_end_at: Optional[datetime.datetime] = Field(alias="writes_end_at")


class PublicOrganizationsInsert(TypedDict):
    business_type: NotRequired[
        Annotated[
            Optional[
                Literal[
                    "escape_room",
                    "outdoor_game",
                    "virtual_reality",
                    "laser_tag",
                    "board_games",
                    "activity_center",
                    "other",
                ]
            ],
            Field(alias="business_type"),
        ]
    ]
    closed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="closed_at")]]
    contact_email: NotRequired[Annotated[Optional[str], Field(alias="contact_email")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    delayed_methods: NotRequired[Annotated[bool, Field(alias="delayed_methods")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    late_shares: NotRequired[Annotated[Literal["organizer", "release"], Field(alias="late_shares")]]
    legal_name: NotRequired[Annotated[Optional[str], Field(alias="legal_name")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    logo_path: NotRequired[Annotated[Optional[str], Field(alias="logo_path")]]
    name: Annotated[str, Field(alias="name")]
    pay_at_venue: NotRequired[Annotated[bool, Field(alias="pay_at_venue")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    rest_online_minutes: NotRequired[Annotated[Optional[int], Field(alias="rest_online_minutes")]]
    sales_end_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="sales_end_at")]]
    slug: Annotated[str, Field(alias="slug")]
    small_amounts: NotRequired[
        Annotated[Literal["at_venue", "round_up"], Field(alias="small_amounts")]
    ]
    split_hold_hours: NotRequired[Annotated[Optional[int], Field(alias="split_hold_hours")]]
    status: NotRequired[Annotated[Literal["active", "suspended", "closed"], Field(alias="status")]]
    tax_id: NotRequired[Annotated[Optional[str], Field(alias="tax_id")]]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    website: NotRequired[Annotated[Optional[str], Field(alias="website")]]
    writes_end_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="writes_end_at")]]


class PublicOrganizationsUpdate(TypedDict):
    business_type: NotRequired[
        Annotated[
            Optional[
                Literal[
                    "escape_room",
                    "outdoor_game",
                    "virtual_reality",
                    "laser_tag",
                    "board_games",
                    "activity_center",
                    "other",
                ]
            ],
            Field(alias="business_type"),
        ]
    ]
    closed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="closed_at")]]
    contact_email: NotRequired[Annotated[Optional[str], Field(alias="contact_email")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    delayed_methods: NotRequired[Annotated[bool, Field(alias="delayed_methods")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    late_shares: NotRequired[Annotated[Literal["organizer", "release"], Field(alias="late_shares")]]
    legal_name: NotRequired[Annotated[Optional[str], Field(alias="legal_name")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    logo_path: NotRequired[Annotated[Optional[str], Field(alias="logo_path")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    pay_at_venue: NotRequired[Annotated[bool, Field(alias="pay_at_venue")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    rest_online_minutes: NotRequired[Annotated[Optional[int], Field(alias="rest_online_minutes")]]
    sales_end_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="sales_end_at")]]
    slug: NotRequired[Annotated[str, Field(alias="slug")]]
    small_amounts: NotRequired[
        Annotated[Literal["at_venue", "round_up"], Field(alias="small_amounts")]
    ]
    split_hold_hours: NotRequired[Annotated[Optional[int], Field(alias="split_hold_hours")]]
    status: NotRequired[Annotated[Literal["active", "suspended", "closed"], Field(alias="status")]]
    tax_id: NotRequired[Annotated[Optional[str], Field(alias="tax_id")]]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    website: NotRequired[Annotated[Optional[str], Field(alias="website")]]
    writes_end_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="writes_end_at")]]


class PublicPaymentShares(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    ended_reason: Optional[Literal["taken_over", "late", "changed", "covered", "booking_over"]] = (
        Field(alias="ended_reason")
    )
    expires_at: datetime.datetime = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    locale: str = Field(alias="locale")
    organization_id: uuid.UUID = Field(alias="organization_id")
    paid_at: Optional[datetime.datetime] = Field(alias="paid_at")
    payer_email: Optional[str] = Field(alias="payer_email")
    payer_name: str = Field(alias="payer_name")
    position: int = Field(alias="position")
    reminded_at: Optional[datetime.datetime] = Field(alias="reminded_at")
    reminders: int = Field(alias="reminders")
    status: Literal["open", "paid", "ended"] = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicPaymentSharesInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    ended_reason: NotRequired[
        Annotated[
            Optional[Literal["taken_over", "late", "changed", "covered", "booking_over"]],
            Field(alias="ended_reason"),
        ]
    ]
    expires_at: Annotated[datetime.datetime, Field(alias="expires_at")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: Annotated[str, Field(alias="locale")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    paid_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="paid_at")]]
    payer_email: NotRequired[Annotated[Optional[str], Field(alias="payer_email")]]
    payer_name: Annotated[str, Field(alias="payer_name")]
    position: Annotated[int, Field(alias="position")]
    reminded_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="reminded_at")]]
    reminders: NotRequired[Annotated[int, Field(alias="reminders")]]
    status: NotRequired[Annotated[Literal["open", "paid", "ended"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicPaymentSharesUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    ended_reason: NotRequired[
        Annotated[
            Optional[Literal["taken_over", "late", "changed", "covered", "booking_over"]],
            Field(alias="ended_reason"),
        ]
    ]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    paid_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="paid_at")]]
    payer_email: NotRequired[Annotated[Optional[str], Field(alias="payer_email")]]
    payer_name: NotRequired[Annotated[str, Field(alias="payer_name")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    reminded_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="reminded_at")]]
    reminders: NotRequired[Annotated[int, Field(alias="reminders")]]
    status: NotRequired[Annotated[Literal["open", "paid", "ended"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicPayments(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    id: uuid.UUID = Field(alias="id")
    method: Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"] = Field(
        alias="method"
    )
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    platform_fee_cents: int = Field(alias="platform_fee_cents")
    provider_payment_id: Optional[str] = Field(alias="provider_payment_id")
    provider_session_id: Optional[str] = Field(alias="provider_session_id")
    recorded_by: JsonValue = Field(alias="recorded_by")
    stripe_account: Optional[str] = Field(alias="stripe_account")


class PublicPaymentsInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    method: Annotated[
        Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"],
        Field(alias="method"),
    ]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    platform_fee_cents: NotRequired[Annotated[int, Field(alias="platform_fee_cents")]]
    provider_payment_id: NotRequired[Annotated[Optional[str], Field(alias="provider_payment_id")]]
    provider_session_id: NotRequired[Annotated[Optional[str], Field(alias="provider_session_id")]]
    recorded_by: NotRequired[Annotated[JsonValue, Field(alias="recorded_by")]]
    stripe_account: NotRequired[Annotated[Optional[str], Field(alias="stripe_account")]]


class PublicPaymentsUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    method: NotRequired[
        Annotated[
            Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"],
            Field(alias="method"),
        ]
    ]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    platform_fee_cents: NotRequired[Annotated[int, Field(alias="platform_fee_cents")]]
    provider_payment_id: NotRequired[Annotated[Optional[str], Field(alias="provider_payment_id")]]
    provider_session_id: NotRequired[Annotated[Optional[str], Field(alias="provider_session_id")]]
    recorded_by: NotRequired[Annotated[JsonValue, Field(alias="recorded_by")]]
    stripe_account: NotRequired[Annotated[Optional[str], Field(alias="stripe_account")]]


class PublicPermissions(BaseModel):
    action: str = Field(alias="action")
    category: str = Field(alias="category")
    description_en: str = Field(alias="description_en")
    description_es: str = Field(alias="description_es")
    key: str = Field(alias="key")
    mutates: bool = Field(alias="mutates")
    resource: str = Field(alias="resource")
    rests_in_visits: bool = Field(alias="rests_in_visits")


class PublicPermissionsInsert(TypedDict):
    action: NotRequired[Annotated[str, Field(alias="action")]]
    category: Annotated[str, Field(alias="category")]
    description_en: Annotated[str, Field(alias="description_en")]
    description_es: Annotated[str, Field(alias="description_es")]
    key: Annotated[str, Field(alias="key")]
    mutates: Annotated[bool, Field(alias="mutates")]
    resource: NotRequired[Annotated[str, Field(alias="resource")]]
    rests_in_visits: Annotated[bool, Field(alias="rests_in_visits")]


class PublicPermissionsUpdate(TypedDict):
    action: NotRequired[Annotated[str, Field(alias="action")]]
    category: NotRequired[Annotated[str, Field(alias="category")]]
    description_en: NotRequired[Annotated[str, Field(alias="description_en")]]
    description_es: NotRequired[Annotated[str, Field(alias="description_es")]]
    key: NotRequired[Annotated[str, Field(alias="key")]]
    mutates: NotRequired[Annotated[bool, Field(alias="mutates")]]
    resource: NotRequired[Annotated[str, Field(alias="resource")]]
    rests_in_visits: NotRequired[Annotated[bool, Field(alias="rests_in_visits")]]


class PublicPlans(BaseModel):
    features: List[str] = Field(alias="features")
    fee_basis_points: int = Field(alias="fee_basis_points")
    fee_fixed_cents: int = Field(alias="fee_fixed_cents")
    fee_maximum_cents: Optional[int] = Field(alias="fee_maximum_cents")
    fee_minimum_cents: Optional[int] = Field(alias="fee_minimum_cents")
    fee_player_cents: int = Field(alias="fee_player_cents")
    is_offered: bool = Field(alias="is_offered")
    key: str = Field(alias="key")
    lookup_key_month: Optional[str] = Field(alias="lookup_key_month")
    lookup_key_year: Optional[str] = Field(alias="lookup_key_year")
    max_bookings_month: Optional[int] = Field(alias="max_bookings_month")
    max_calendars: Optional[int] = Field(alias="max_calendars")
    max_locations: Optional[int] = Field(alias="max_locations")
    max_members: Optional[int] = Field(alias="max_members")
    max_rooms: Optional[int] = Field(alias="max_rooms")
    name_en: str = Field(alias="name_en")
    name_es: str = Field(alias="name_es")
    position: int = Field(alias="position")


class PublicPlansInsert(TypedDict):
    features: NotRequired[Annotated[List[str], Field(alias="features")]]
    fee_basis_points: NotRequired[Annotated[int, Field(alias="fee_basis_points")]]
    fee_fixed_cents: NotRequired[Annotated[int, Field(alias="fee_fixed_cents")]]
    fee_maximum_cents: NotRequired[Annotated[Optional[int], Field(alias="fee_maximum_cents")]]
    fee_minimum_cents: NotRequired[Annotated[Optional[int], Field(alias="fee_minimum_cents")]]
    fee_player_cents: NotRequired[Annotated[int, Field(alias="fee_player_cents")]]
    is_offered: Annotated[bool, Field(alias="is_offered")]
    key: Annotated[str, Field(alias="key")]
    lookup_key_month: NotRequired[Annotated[Optional[str], Field(alias="lookup_key_month")]]
    lookup_key_year: NotRequired[Annotated[Optional[str], Field(alias="lookup_key_year")]]
    max_bookings_month: NotRequired[Annotated[Optional[int], Field(alias="max_bookings_month")]]
    max_calendars: NotRequired[Annotated[Optional[int], Field(alias="max_calendars")]]
    max_locations: NotRequired[Annotated[Optional[int], Field(alias="max_locations")]]
    max_members: NotRequired[Annotated[Optional[int], Field(alias="max_members")]]
    max_rooms: NotRequired[Annotated[Optional[int], Field(alias="max_rooms")]]
    name_en: Annotated[str, Field(alias="name_en")]
    name_es: Annotated[str, Field(alias="name_es")]
    position: Annotated[int, Field(alias="position")]


class PublicPlansUpdate(TypedDict):
    features: NotRequired[Annotated[List[str], Field(alias="features")]]
    fee_basis_points: NotRequired[Annotated[int, Field(alias="fee_basis_points")]]
    fee_fixed_cents: NotRequired[Annotated[int, Field(alias="fee_fixed_cents")]]
    fee_maximum_cents: NotRequired[Annotated[Optional[int], Field(alias="fee_maximum_cents")]]
    fee_minimum_cents: NotRequired[Annotated[Optional[int], Field(alias="fee_minimum_cents")]]
    fee_player_cents: NotRequired[Annotated[int, Field(alias="fee_player_cents")]]
    is_offered: NotRequired[Annotated[bool, Field(alias="is_offered")]]
    key: NotRequired[Annotated[str, Field(alias="key")]]
    lookup_key_month: NotRequired[Annotated[Optional[str], Field(alias="lookup_key_month")]]
    lookup_key_year: NotRequired[Annotated[Optional[str], Field(alias="lookup_key_year")]]
    max_bookings_month: NotRequired[Annotated[Optional[int], Field(alias="max_bookings_month")]]
    max_calendars: NotRequired[Annotated[Optional[int], Field(alias="max_calendars")]]
    max_locations: NotRequired[Annotated[Optional[int], Field(alias="max_locations")]]
    max_members: NotRequired[Annotated[Optional[int], Field(alias="max_members")]]
    max_rooms: NotRequired[Annotated[Optional[int], Field(alias="max_rooms")]]
    name_en: NotRequired[Annotated[str, Field(alias="name_en")]]
    name_es: NotRequired[Annotated[str, Field(alias="name_es")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]


class PublicPriceOverrides(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    price_cents: int = Field(alias="price_cents")
    reason: str = Field(alias="reason")
    set_by: JsonValue = Field(alias="set_by")


class PublicPriceOverridesInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    price_cents: Annotated[int, Field(alias="price_cents")]
    reason: Annotated[str, Field(alias="reason")]
    set_by: NotRequired[Annotated[JsonValue, Field(alias="set_by")]]


class PublicPriceOverridesUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    price_cents: NotRequired[Annotated[int, Field(alias="price_cents")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    set_by: NotRequired[Annotated[JsonValue, Field(alias="set_by")]]


class PublicPriceRules(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    from_date: Optional[datetime.date] = Field(alias="from_date")
    from_time: datetime.time = Field(alias="from_time")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    kind: Literal["price", "percent", "amount"] = Field(alias="kind")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    priority: int = Field(alias="priority")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    until_date: Optional[datetime.date] = Field(alias="until_date")
    until_time: datetime.time = Field(alias="until_time")
    updated_at: datetime.datetime = Field(alias="updated_at")
    value: int = Field(alias="value")
    weekdays: List[int] = Field(alias="weekdays")


class PublicPriceRulesInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    from_date: NotRequired[Annotated[Optional[datetime.date], Field(alias="from_date")]]
    from_time: NotRequired[Annotated[datetime.time, Field(alias="from_time")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    kind: Annotated[Literal["price", "percent", "amount"], Field(alias="kind")]
    name: Annotated[str, Field(alias="name")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    until_date: NotRequired[Annotated[Optional[datetime.date], Field(alias="until_date")]]
    until_time: NotRequired[Annotated[datetime.time, Field(alias="until_time")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    value: Annotated[int, Field(alias="value")]
    weekdays: NotRequired[Annotated[List[int], Field(alias="weekdays")]]


class PublicPriceRulesUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    from_date: NotRequired[Annotated[Optional[datetime.date], Field(alias="from_date")]]
    from_time: NotRequired[Annotated[datetime.time, Field(alias="from_time")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    kind: NotRequired[Annotated[Literal["price", "percent", "amount"], Field(alias="kind")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    until_date: NotRequired[Annotated[Optional[datetime.date], Field(alias="until_date")]]
    until_time: NotRequired[Annotated[datetime.time, Field(alias="until_time")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    value: NotRequired[Annotated[int, Field(alias="value")]]
    weekdays: NotRequired[Annotated[List[int], Field(alias="weekdays")]]


class PublicPriceTiers(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    minimum_party: int = Field(alias="minimum_party")
    organization_id: uuid.UUID = Field(alias="organization_id")
    price_cents: int = Field(alias="price_cents")
    room_id: uuid.UUID = Field(alias="room_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicPriceTiersInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    minimum_party: Annotated[int, Field(alias="minimum_party")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    price_cents: Annotated[int, Field(alias="price_cents")]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicPriceTiersUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    minimum_party: NotRequired[Annotated[int, Field(alias="minimum_party")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    price_cents: NotRequired[Annotated[int, Field(alias="price_cents")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicProfiles(BaseModel):
    active_organization_id: Optional[uuid.UUID] = Field(alias="active_organization_id")
    created_at: datetime.datetime = Field(alias="created_at")
    email: str = Field(alias="email")
    full_name: str = Field(alias="full_name")
    locale: str = Field(alias="locale")
    phone: Optional[str] = Field(alias="phone")
    preferences: JsonValue = Field(alias="preferences")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicProfilesInsert(TypedDict):
    active_organization_id: NotRequired[
        Annotated[Optional[uuid.UUID], Field(alias="active_organization_id")]
    ]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[str, Field(alias="email")]]
    full_name: NotRequired[Annotated[str, Field(alias="full_name")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    preferences: NotRequired[Annotated[JsonValue, Field(alias="preferences")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicProfilesUpdate(TypedDict):
    active_organization_id: NotRequired[
        Annotated[Optional[uuid.UUID], Field(alias="active_organization_id")]
    ]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[str, Field(alias="email")]]
    full_name: NotRequired[Annotated[str, Field(alias="full_name")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    phone: NotRequired[Annotated[Optional[str], Field(alias="phone")]]
    preferences: NotRequired[Annotated[JsonValue, Field(alias="preferences")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicRefunds(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    booking_id: uuid.UUID = Field(alias="booking_id")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    id: uuid.UUID = Field(alias="id")
    kind: Literal["refund", "reversal", "correction"] = Field(alias="kind")
    method: Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"] = Field(
        alias="method"
    )
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    payment_id: uuid.UUID = Field(alias="payment_id")
    provider_refund_id: Optional[str] = Field(alias="provider_refund_id")
    recorded_by: JsonValue = Field(alias="recorded_by")
    refund_request_id: uuid.UUID = Field(alias="refund_request_id")


class PublicRefundsInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[Literal["refund", "reversal", "correction"], Field(alias="kind")]]
    method: Annotated[
        Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"],
        Field(alias="method"),
    ]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    payment_id: Annotated[uuid.UUID, Field(alias="payment_id")]
    provider_refund_id: NotRequired[Annotated[Optional[str], Field(alias="provider_refund_id")]]
    recorded_by: NotRequired[Annotated[JsonValue, Field(alias="recorded_by")]]
    refund_request_id: Annotated[uuid.UUID, Field(alias="refund_request_id")]


class PublicRefundsUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[Annotated[Literal["refund", "reversal", "correction"], Field(alias="kind")]]
    method: NotRequired[
        Annotated[
            Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"],
            Field(alias="method"),
        ]
    ]
    occurred_at: NotRequired[Annotated[datetime.datetime, Field(alias="occurred_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    payment_id: NotRequired[Annotated[uuid.UUID, Field(alias="payment_id")]]
    provider_refund_id: NotRequired[Annotated[Optional[str], Field(alias="provider_refund_id")]]
    recorded_by: NotRequired[Annotated[JsonValue, Field(alias="recorded_by")]]
    refund_request_id: NotRequired[Annotated[uuid.UUID, Field(alias="refund_request_id")]]


class PublicRolePermissions(BaseModel):
    organization_id: uuid.UUID = Field(alias="organization_id")
    permission_key: str = Field(alias="permission_key")
    role_id: uuid.UUID = Field(alias="role_id")


class PublicRolePermissionsInsert(TypedDict):
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    permission_key: Annotated[str, Field(alias="permission_key")]
    role_id: Annotated[uuid.UUID, Field(alias="role_id")]


class PublicRolePermissionsUpdate(TypedDict):
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    permission_key: NotRequired[Annotated[str, Field(alias="permission_key")]]
    role_id: NotRequired[Annotated[uuid.UUID, Field(alias="role_id")]]


class PublicRoles(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    description: str = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    is_system: bool = Field(alias="is_system")
    key: str = Field(alias="key")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicRolesInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_system: NotRequired[Annotated[bool, Field(alias="is_system")]]
    key: Annotated[str, Field(alias="key")]
    name: Annotated[str, Field(alias="name")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRolesUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_system: NotRequired[Annotated[bool, Field(alias="is_system")]]
    key: NotRequired[Annotated[str, Field(alias="key")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRoomBlocks(BaseModel):
    cancelled_at: Optional[datetime.datetime] = Field(alias="cancelled_at")
    created_at: datetime.datetime = Field(alias="created_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    id: uuid.UUID = Field(alias="id")
    location_id: Optional[uuid.UUID] = Field(alias="location_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reason: str = Field(alias="reason")
    repeats: Literal["none", "daily", "weekly"] = Field(alias="repeats")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    until: Optional[datetime.date] = Field(alias="until")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicRoomBlocksInsert(TypedDict):
    cancelled_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancelled_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    ends_at: Annotated[datetime.datetime, Field(alias="ends_at")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    location_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="location_id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    repeats: Annotated[Literal["none", "daily", "weekly"], Field(alias="repeats")]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    starts_at: Annotated[datetime.datetime, Field(alias="starts_at")]
    until: NotRequired[Annotated[Optional[datetime.date], Field(alias="until")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRoomBlocksUpdate(TypedDict):
    cancelled_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancelled_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    ends_at: NotRequired[Annotated[datetime.datetime, Field(alias="ends_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    location_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="location_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    repeats: NotRequired[Annotated[Literal["none", "daily", "weekly"], Field(alias="repeats")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    starts_at: NotRequired[Annotated[datetime.datetime, Field(alias="starts_at")]]
    until: NotRequired[Annotated[Optional[datetime.date], Field(alias="until")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRoomCancellationTiers(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    hours_before: int = Field(alias="hours_before")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    refund_percent: int = Field(alias="refund_percent")
    room_id: uuid.UUID = Field(alias="room_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicRoomCancellationTiersInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    hours_before: Annotated[int, Field(alias="hours_before")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    refund_percent: Annotated[int, Field(alias="refund_percent")]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRoomCancellationTiersUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    hours_before: NotRequired[Annotated[int, Field(alias="hours_before")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    refund_percent: NotRequired[Annotated[int, Field(alias="refund_percent")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRoomImages(BaseModel):
    alt: JsonValue = Field(alias="alt")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    path: str = Field(alias="path")
    position: int = Field(alias="position")
    room_id: uuid.UUID = Field(alias="room_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicRoomImagesInsert(TypedDict):
    alt: NotRequired[Annotated[JsonValue, Field(alias="alt")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    path: Annotated[str, Field(alias="path")]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRoomImagesUpdate(TypedDict):
    alt: NotRequired[Annotated[JsonValue, Field(alias="alt")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    path: NotRequired[Annotated[str, Field(alias="path")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRoomIncidents(BaseModel):
    block_id: Optional[uuid.UUID] = Field(alias="block_id")
    created_at: datetime.datetime = Field(alias="created_at")
    description: str = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    item_id: Optional[uuid.UUID] = Field(alias="item_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reported_by: JsonValue = Field(alias="reported_by")
    resolution: str = Field(alias="resolution")
    room_id: uuid.UUID = Field(alias="room_id")
    session_id: Optional[uuid.UUID] = Field(alias="session_id")
    solved_at: Optional[datetime.datetime] = Field(alias="solved_at")
    status: Literal["open", "in_repair", "solved"] = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicRoomIncidentsInsert(TypedDict):
    block_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="block_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: Annotated[str, Field(alias="description")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    item_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="item_id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    reported_by: NotRequired[Annotated[JsonValue, Field(alias="reported_by")]]
    resolution: NotRequired[Annotated[str, Field(alias="resolution")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    session_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="session_id")]]
    solved_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="solved_at")]]
    status: NotRequired[Annotated[Literal["open", "in_repair", "solved"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRoomIncidentsUpdate(TypedDict):
    block_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="block_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    item_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="item_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reported_by: NotRequired[Annotated[JsonValue, Field(alias="reported_by")]]
    resolution: NotRequired[Annotated[str, Field(alias="resolution")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    session_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="session_id")]]
    solved_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="solved_at")]]
    status: NotRequired[Annotated[Literal["open", "in_repair", "solved"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicRooms(BaseModel):
    capacity_limit: Optional[int] = Field(alias="capacity_limit")
    color: Optional[str] = Field(alias="color")
    created_at: datetime.datetime = Field(alias="created_at")
    deposit_kind: Literal["full", "none", "percent", "fixed", "person"] = Field(
        alias="deposit_kind"
    )
    deposit_value: int = Field(alias="deposit_value")
    description: str = Field(alias="description")
    descriptions: JsonValue = Field(alias="descriptions")
    difficulty: Optional[int] = Field(alias="difficulty")
    duration_minutes: int = Field(alias="duration_minutes")
    exclusive_price_cents: Optional[int] = Field(alias="exclusive_price_cents")
    fear: Optional[int] = Field(alias="fear")
    has_actors: bool = Field(alias="has_actors")
    id: uuid.UUID = Field(alias="id")
    is_accessible: bool = Field(alias="is_accessible")
    is_archived: bool = Field(alias="is_archived")
    is_published: bool = Field(alias="is_published")
    languages: List[str] = Field(alias="languages")
    location_id: uuid.UUID = Field(alias="location_id")
    maximum_party: int = Field(alias="maximum_party")
    minimum_age: Optional[int] = Field(alias="minimum_age")
    minimum_age_accompanied: Optional[int] = Field(alias="minimum_age_accompanied")
    minimum_party: int = Field(alias="minimum_party")
    mode: Literal["private", "shared"] = Field(alias="mode")
    name: str = Field(alias="name")
    names: JsonValue = Field(alias="names")
    no_show_fee_percent: int = Field(alias="no_show_fee_percent")
    organization_id: uuid.UUID = Field(alias="organization_id")
    physical_level: Optional[int] = Field(alias="physical_level")
    price_cents: int = Field(alias="price_cents")
    price_per: Literal["person", "session"] = Field(alias="price_per")
    slug: str = Field(alias="slug")
    tags: List[str] = Field(alias="tags")
    tax_rate_bp: int = Field(alias="tax_rate_bp")
    theme: Optional[
        Literal[
            "adventure",
            "comedy",
            "crime",
            "family",
            "fantasy",
            "history",
            "horror",
            "mystery",
            "science_fiction",
            "other",
        ]
    ] = Field(alias="theme")
    turnaround_minutes: int = Field(alias="turnaround_minutes")
    updated_at: datetime.datetime = Field(alias="updated_at")
    video_url: Optional[str] = Field(alias="video_url")
    waiver_policy: Literal["none", "optional", "required"] = Field(alias="waiver_policy")


class PublicRoomsInsert(TypedDict):
    capacity_limit: NotRequired[Annotated[Optional[int], Field(alias="capacity_limit")]]
    color: NotRequired[Annotated[Optional[str], Field(alias="color")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    deposit_kind: NotRequired[
        Annotated[
            Literal["full", "none", "percent", "fixed", "person"], Field(alias="deposit_kind")
        ]
    ]
    deposit_value: NotRequired[Annotated[int, Field(alias="deposit_value")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    difficulty: NotRequired[Annotated[Optional[int], Field(alias="difficulty")]]
    duration_minutes: NotRequired[Annotated[int, Field(alias="duration_minutes")]]
    exclusive_price_cents: NotRequired[
        Annotated[Optional[int], Field(alias="exclusive_price_cents")]
    ]
    fear: NotRequired[Annotated[Optional[int], Field(alias="fear")]]
    has_actors: NotRequired[Annotated[bool, Field(alias="has_actors")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_accessible: NotRequired[Annotated[bool, Field(alias="is_accessible")]]
    is_archived: NotRequired[Annotated[bool, Field(alias="is_archived")]]
    is_published: NotRequired[Annotated[bool, Field(alias="is_published")]]
    languages: NotRequired[Annotated[List[str], Field(alias="languages")]]
    location_id: Annotated[uuid.UUID, Field(alias="location_id")]
    maximum_party: NotRequired[Annotated[int, Field(alias="maximum_party")]]
    minimum_age: NotRequired[Annotated[Optional[int], Field(alias="minimum_age")]]
    minimum_age_accompanied: NotRequired[
        Annotated[Optional[int], Field(alias="minimum_age_accompanied")]
    ]
    minimum_party: NotRequired[Annotated[int, Field(alias="minimum_party")]]
    mode: NotRequired[Annotated[Literal["private", "shared"], Field(alias="mode")]]
    name: Annotated[str, Field(alias="name")]
    names: NotRequired[Annotated[JsonValue, Field(alias="names")]]
    no_show_fee_percent: NotRequired[Annotated[int, Field(alias="no_show_fee_percent")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    physical_level: NotRequired[Annotated[Optional[int], Field(alias="physical_level")]]
    price_cents: Annotated[int, Field(alias="price_cents")]
    price_per: NotRequired[Annotated[Literal["person", "session"], Field(alias="price_per")]]
    slug: Annotated[str, Field(alias="slug")]
    tags: NotRequired[Annotated[List[str], Field(alias="tags")]]
    tax_rate_bp: NotRequired[Annotated[int, Field(alias="tax_rate_bp")]]
    theme: NotRequired[
        Annotated[
            Optional[
                Literal[
                    "adventure",
                    "comedy",
                    "crime",
                    "family",
                    "fantasy",
                    "history",
                    "horror",
                    "mystery",
                    "science_fiction",
                    "other",
                ]
            ],
            Field(alias="theme"),
        ]
    ]
    turnaround_minutes: NotRequired[Annotated[int, Field(alias="turnaround_minutes")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    video_url: NotRequired[Annotated[Optional[str], Field(alias="video_url")]]
    waiver_policy: NotRequired[
        Annotated[Literal["none", "optional", "required"], Field(alias="waiver_policy")]
    ]


class PublicRoomsUpdate(TypedDict):
    capacity_limit: NotRequired[Annotated[Optional[int], Field(alias="capacity_limit")]]
    color: NotRequired[Annotated[Optional[str], Field(alias="color")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    deposit_kind: NotRequired[
        Annotated[
            Literal["full", "none", "percent", "fixed", "person"], Field(alias="deposit_kind")
        ]
    ]
    deposit_value: NotRequired[Annotated[int, Field(alias="deposit_value")]]
    description: NotRequired[Annotated[str, Field(alias="description")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    difficulty: NotRequired[Annotated[Optional[int], Field(alias="difficulty")]]
    duration_minutes: NotRequired[Annotated[int, Field(alias="duration_minutes")]]
    exclusive_price_cents: NotRequired[
        Annotated[Optional[int], Field(alias="exclusive_price_cents")]
    ]
    fear: NotRequired[Annotated[Optional[int], Field(alias="fear")]]
    has_actors: NotRequired[Annotated[bool, Field(alias="has_actors")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_accessible: NotRequired[Annotated[bool, Field(alias="is_accessible")]]
    is_archived: NotRequired[Annotated[bool, Field(alias="is_archived")]]
    is_published: NotRequired[Annotated[bool, Field(alias="is_published")]]
    languages: NotRequired[Annotated[List[str], Field(alias="languages")]]
    location_id: NotRequired[Annotated[uuid.UUID, Field(alias="location_id")]]
    maximum_party: NotRequired[Annotated[int, Field(alias="maximum_party")]]
    minimum_age: NotRequired[Annotated[Optional[int], Field(alias="minimum_age")]]
    minimum_age_accompanied: NotRequired[
        Annotated[Optional[int], Field(alias="minimum_age_accompanied")]
    ]
    minimum_party: NotRequired[Annotated[int, Field(alias="minimum_party")]]
    mode: NotRequired[Annotated[Literal["private", "shared"], Field(alias="mode")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    names: NotRequired[Annotated[JsonValue, Field(alias="names")]]
    no_show_fee_percent: NotRequired[Annotated[int, Field(alias="no_show_fee_percent")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    physical_level: NotRequired[Annotated[Optional[int], Field(alias="physical_level")]]
    price_cents: NotRequired[Annotated[int, Field(alias="price_cents")]]
    price_per: NotRequired[Annotated[Literal["person", "session"], Field(alias="price_per")]]
    slug: NotRequired[Annotated[str, Field(alias="slug")]]
    tags: NotRequired[Annotated[List[str], Field(alias="tags")]]
    tax_rate_bp: NotRequired[Annotated[int, Field(alias="tax_rate_bp")]]
    theme: NotRequired[
        Annotated[
            Optional[
                Literal[
                    "adventure",
                    "comedy",
                    "crime",
                    "family",
                    "fantasy",
                    "history",
                    "horror",
                    "mystery",
                    "science_fiction",
                    "other",
                ]
            ],
            Field(alias="theme"),
        ]
    ]
    turnaround_minutes: NotRequired[Annotated[int, Field(alias="turnaround_minutes")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    video_url: NotRequired[Annotated[Optional[str], Field(alias="video_url")]]
    waiver_policy: NotRequired[
        Annotated[Literal["none", "optional", "required"], Field(alias="waiver_policy")]
    ]


class PublicSavedReports(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    statement: str = Field(alias="statement")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicSavedReportsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    statement: Annotated[str, Field(alias="statement")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicSavedReportsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    statement: NotRequired[Annotated[str, Field(alias="statement")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicScheduleExceptions(BaseModel):
    closes_at: Optional[datetime.time] = Field(alias="closes_at")
    created_at: datetime.datetime = Field(alias="created_at")
    date: datetime.date = Field(alias="date")
    id: uuid.UUID = Field(alias="id")
    is_closed: bool = Field(alias="is_closed")
    location_id: Optional[uuid.UUID] = Field(alias="location_id")
    opens_at: Optional[datetime.time] = Field(alias="opens_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reason: str = Field(alias="reason")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    slot_interval_minutes: Optional[int] = Field(alias="slot_interval_minutes")
    start_times: Optional[List[datetime.time]] = Field(alias="start_times")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicScheduleExceptionsInsert(TypedDict):
    closes_at: NotRequired[Annotated[Optional[datetime.time], Field(alias="closes_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    date: Annotated[datetime.date, Field(alias="date")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_closed: NotRequired[Annotated[bool, Field(alias="is_closed")]]
    location_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="location_id")]]
    opens_at: NotRequired[Annotated[Optional[datetime.time], Field(alias="opens_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    slot_interval_minutes: NotRequired[
        Annotated[Optional[int], Field(alias="slot_interval_minutes")]
    ]
    start_times: NotRequired[Annotated[Optional[List[datetime.time]], Field(alias="start_times")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicScheduleExceptionsUpdate(TypedDict):
    closes_at: NotRequired[Annotated[Optional[datetime.time], Field(alias="closes_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    date: NotRequired[Annotated[datetime.date, Field(alias="date")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_closed: NotRequired[Annotated[bool, Field(alias="is_closed")]]
    location_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="location_id")]]
    opens_at: NotRequired[Annotated[Optional[datetime.time], Field(alias="opens_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    slot_interval_minutes: NotRequired[
        Annotated[Optional[int], Field(alias="slot_interval_minutes")]
    ]
    start_times: NotRequired[Annotated[Optional[List[datetime.time]], Field(alias="start_times")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicSchedules(BaseModel):
    closes_at: datetime.time = Field(alias="closes_at")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    opens_at: datetime.time = Field(alias="opens_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    room_id: uuid.UUID = Field(alias="room_id")
    slot_interval_minutes: Optional[int] = Field(alias="slot_interval_minutes")
    start_times: Optional[List[datetime.time]] = Field(alias="start_times")
    updated_at: datetime.datetime = Field(alias="updated_at")
    weekday: int = Field(alias="weekday")


class PublicSchedulesInsert(TypedDict):
    closes_at: Annotated[datetime.time, Field(alias="closes_at")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    opens_at: Annotated[datetime.time, Field(alias="opens_at")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    slot_interval_minutes: NotRequired[
        Annotated[Optional[int], Field(alias="slot_interval_minutes")]
    ]
    start_times: NotRequired[Annotated[Optional[List[datetime.time]], Field(alias="start_times")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    weekday: Annotated[int, Field(alias="weekday")]


class PublicSchedulesUpdate(TypedDict):
    closes_at: NotRequired[Annotated[datetime.time, Field(alias="closes_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    opens_at: NotRequired[Annotated[datetime.time, Field(alias="opens_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    slot_interval_minutes: NotRequired[
        Annotated[Optional[int], Field(alias="slot_interval_minutes")]
    ]
    start_times: NotRequired[Annotated[Optional[List[datetime.time]], Field(alias="start_times")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    weekday: NotRequired[Annotated[int, Field(alias="weekday")]]


class PublicSenderDomains(BaseModel):
    checked_at: Optional[datetime.datetime] = Field(alias="checked_at")
    created_at: datetime.datetime = Field(alias="created_at")
    domain: str = Field(alias="domain")
    id: uuid.UUID = Field(alias="id")
    local_part: str = Field(alias="local_part")
    organization_id: uuid.UUID = Field(alias="organization_id")
    proof: str = Field(alias="proof")
    proven_at: Optional[datetime.datetime] = Field(alias="proven_at")
    provider_id: Optional[str] = Field(alias="provider_id")
    records: List[PublicDnsRecord] = Field(alias="records")
    status: Literal["pending", "verified", "failed"] = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    verified_at: Optional[datetime.datetime] = Field(alias="verified_at")


class PublicSenderDomainsInsert(TypedDict):
    checked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="checked_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    domain: Annotated[str, Field(alias="domain")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    local_part: NotRequired[Annotated[str, Field(alias="local_part")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    proof: NotRequired[Annotated[str, Field(alias="proof")]]
    proven_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="proven_at")]]
    provider_id: NotRequired[Annotated[Optional[str], Field(alias="provider_id")]]
    records: NotRequired[Annotated[List[PublicDnsRecord], Field(alias="records")]]
    status: NotRequired[Annotated[Literal["pending", "verified", "failed"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    verified_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="verified_at")]]


class PublicSenderDomainsUpdate(TypedDict):
    checked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="checked_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    domain: NotRequired[Annotated[str, Field(alias="domain")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    local_part: NotRequired[Annotated[str, Field(alias="local_part")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    proof: NotRequired[Annotated[str, Field(alias="proof")]]
    proven_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="proven_at")]]
    provider_id: NotRequired[Annotated[Optional[str], Field(alias="provider_id")]]
    records: NotRequired[Annotated[List[PublicDnsRecord], Field(alias="records")]]
    status: NotRequired[Annotated[Literal["pending", "verified", "failed"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    verified_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="verified_at")]]


class PublicSessionStaff(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    during: str = Field(alias="during")
    organization_id: uuid.UUID = Field(alias="organization_id")
    session_id: uuid.UUID = Field(alias="session_id")
    source: Literal["assigned", "claimed", "automatic"] = Field(alias="source")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicSessionStaffInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    during: Annotated[str, Field(alias="during")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    session_id: Annotated[uuid.UUID, Field(alias="session_id")]
    source: Annotated[Literal["assigned", "claimed", "automatic"], Field(alias="source")]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicSessionStaffUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    during: NotRequired[Annotated[str, Field(alias="during")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    session_id: NotRequired[Annotated[uuid.UUID, Field(alias="session_id")]]
    source: NotRequired[
        Annotated[Literal["assigned", "claimed", "automatic"], Field(alias="source")]
    ]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicSessions(BaseModel):
    block_id: Optional[uuid.UUID] = Field(alias="block_id")
    capacity: int = Field(alias="capacity")
    created_at: datetime.datetime = Field(alias="created_at")
    during: str = Field(alias="during")
    ends_at: datetime.datetime = Field(alias="ends_at")
    id: uuid.UUID = Field(alias="id")
    mode: Literal["private", "shared", "block"] = Field(alias="mode")
    occupied_until: datetime.datetime = Field(alias="occupied_until")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reason: str = Field(alias="reason")
    room_id: uuid.UUID = Field(alias="room_id")
    seats_taken: int = Field(alias="seats_taken")
    starts_at: datetime.datetime = Field(alias="starts_at")
    status: Literal["scheduled", "cancelled"] = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicSessionsInsert(TypedDict):
    block_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="block_id")]]
    capacity: Annotated[int, Field(alias="capacity")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    during: NotRequired[Annotated[str, Field(alias="during")]]
    ends_at: Annotated[datetime.datetime, Field(alias="ends_at")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    mode: Annotated[Literal["private", "shared", "block"], Field(alias="mode")]
    occupied_until: Annotated[datetime.datetime, Field(alias="occupied_until")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    seats_taken: Annotated[int, Field(alias="seats_taken")]
    starts_at: Annotated[datetime.datetime, Field(alias="starts_at")]
    status: NotRequired[Annotated[Literal["scheduled", "cancelled"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicSessionsUpdate(TypedDict):
    block_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="block_id")]]
    capacity: NotRequired[Annotated[int, Field(alias="capacity")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    during: NotRequired[Annotated[str, Field(alias="during")]]
    ends_at: NotRequired[Annotated[datetime.datetime, Field(alias="ends_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    mode: NotRequired[Annotated[Literal["private", "shared", "block"], Field(alias="mode")]]
    occupied_until: NotRequired[Annotated[datetime.datetime, Field(alias="occupied_until")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    seats_taken: NotRequired[Annotated[int, Field(alias="seats_taken")]]
    starts_at: NotRequired[Annotated[datetime.datetime, Field(alias="starts_at")]]
    status: NotRequired[Annotated[Literal["scheduled", "cancelled"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicStaffShifts(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    date: datetime.date = Field(alias="date")
    ends_at: datetime.datetime = Field(alias="ends_at")
    from_time: datetime.time = Field(alias="from_time")
    id: uuid.UUID = Field(alias="id")
    location_id: uuid.UUID = Field(alias="location_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    timezone: str = Field(alias="timezone")
    to_time: datetime.time = Field(alias="to_time")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicStaffShiftsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    date: Annotated[datetime.date, Field(alias="date")]
    ends_at: NotRequired[Annotated[datetime.datetime, Field(alias="ends_at")]]
    from_time: Annotated[datetime.time, Field(alias="from_time")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    location_id: Annotated[uuid.UUID, Field(alias="location_id")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    starts_at: NotRequired[Annotated[datetime.datetime, Field(alias="starts_at")]]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    to_time: Annotated[datetime.time, Field(alias="to_time")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicStaffShiftsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    date: NotRequired[Annotated[datetime.date, Field(alias="date")]]
    ends_at: NotRequired[Annotated[datetime.datetime, Field(alias="ends_at")]]
    from_time: NotRequired[Annotated[datetime.time, Field(alias="from_time")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    location_id: NotRequired[Annotated[uuid.UUID, Field(alias="location_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    starts_at: NotRequired[Annotated[datetime.datetime, Field(alias="starts_at")]]
    timezone: NotRequired[Annotated[str, Field(alias="timezone")]]
    to_time: NotRequired[Annotated[datetime.time, Field(alias="to_time")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicStaffSkills(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    room_id: uuid.UUID = Field(alias="room_id")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicStaffSkillsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]


class PublicStaffSkillsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]


class PublicStartGroupRooms(BaseModel):
    group_id: uuid.UUID = Field(alias="group_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    room_id: uuid.UUID = Field(alias="room_id")


class PublicStartGroupRoomsInsert(TypedDict):
    group_id: Annotated[uuid.UUID, Field(alias="group_id")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: Annotated[uuid.UUID, Field(alias="room_id")]


class PublicStartGroupRoomsUpdate(TypedDict):
    group_id: NotRequired[Annotated[uuid.UUID, Field(alias="group_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    room_id: NotRequired[Annotated[uuid.UUID, Field(alias="room_id")]]


class PublicStartGroups(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    minutes: int = Field(alias="minutes")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicStartGroupsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    minutes: Annotated[int, Field(alias="minutes")]
    name: Annotated[str, Field(alias="name")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicStartGroupsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    minutes: NotRequired[Annotated[int, Field(alias="minutes")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicStripeAccounts(BaseModel):
    account_id: Optional[str] = Field(alias="account_id")
    as_of: Optional[datetime.datetime] = Field(alias="as_of")
    charges_enabled: bool = Field(alias="charges_enabled")
    chosen_at: datetime.datetime = Field(alias="chosen_at")
    created_at: datetime.datetime = Field(alias="created_at")
    deauthorized_at: Optional[datetime.datetime] = Field(alias="deauthorized_at")
    details_submitted: bool = Field(alias="details_submitted")
    disabled_reason: Optional[str] = Field(alias="disabled_reason")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    payouts_enabled: bool = Field(alias="payouts_enabled")
    requirements: List[str] = Field(alias="requirements")
    requirements_due_at: Optional[datetime.datetime] = Field(alias="requirements_due_at")
    retired_at: Optional[datetime.datetime] = Field(alias="retired_at")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicStripeAccountsInsert(TypedDict):
    account_id: NotRequired[Annotated[Optional[str], Field(alias="account_id")]]
    as_of: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="as_of")]]
    charges_enabled: NotRequired[Annotated[bool, Field(alias="charges_enabled")]]
    chosen_at: NotRequired[Annotated[datetime.datetime, Field(alias="chosen_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    deauthorized_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="deauthorized_at")]
    ]
    details_submitted: NotRequired[Annotated[bool, Field(alias="details_submitted")]]
    disabled_reason: NotRequired[Annotated[Optional[str], Field(alias="disabled_reason")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    payouts_enabled: NotRequired[Annotated[bool, Field(alias="payouts_enabled")]]
    requirements: NotRequired[Annotated[List[str], Field(alias="requirements")]]
    requirements_due_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="requirements_due_at")]
    ]
    retired_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="retired_at")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicStripeAccountsUpdate(TypedDict):
    account_id: NotRequired[Annotated[Optional[str], Field(alias="account_id")]]
    as_of: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="as_of")]]
    charges_enabled: NotRequired[Annotated[bool, Field(alias="charges_enabled")]]
    chosen_at: NotRequired[Annotated[datetime.datetime, Field(alias="chosen_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    deauthorized_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="deauthorized_at")]
    ]
    details_submitted: NotRequired[Annotated[bool, Field(alias="details_submitted")]]
    disabled_reason: NotRequired[Annotated[Optional[str], Field(alias="disabled_reason")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    payouts_enabled: NotRequired[Annotated[bool, Field(alias="payouts_enabled")]]
    requirements: NotRequired[Annotated[List[str], Field(alias="requirements")]]
    requirements_due_at: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="requirements_due_at")]
    ]
    retired_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="retired_at")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicSubscriptions(BaseModel):
    amount_cents: Optional[int] = Field(alias="amount_cents")
    billing_interval: Optional[Literal["month", "year"]] = Field(alias="billing_interval")
    cancel_at: Optional[datetime.datetime] = Field(alias="cancel_at")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: Optional[str] = Field(alias="currency")
    current_period_end: Optional[datetime.datetime] = Field(alias="current_period_end")
    current_period_start: Optional[datetime.datetime] = Field(alias="current_period_start")
    due_cents: int = Field(alias="due_cents")
    grace_until: Optional[datetime.datetime] = Field(alias="grace_until")
    granted_plan_key: Optional[Literal["free", "pro", "starter"]] = Field(alias="granted_plan_key")
    granted_until: Optional[datetime.datetime] = Field(alias="granted_until")
    next_plan_key: Optional[Literal["free", "pro", "starter"]] = Field(alias="next_plan_key")
    organization_id: uuid.UUID = Field(alias="organization_id")
    other_subscription_ids: List[str] = Field(alias="other_subscription_ids")
    overdue_since: Optional[datetime.datetime] = Field(alias="overdue_since")
    plan_key: Optional[Literal["free", "pro", "starter"]] = Field(alias="plan_key")
    status: Optional[
        Literal[
            "trialing",
            "active",
            "past_due",
            "unpaid",
            "canceled",
            "incomplete",
            "incomplete_expired",
            "paused",
        ]
    ] = Field(alias="status")
    stripe_subscription_id: Optional[str] = Field(alias="stripe_subscription_id")
    trial_end: Optional[datetime.datetime] = Field(alias="trial_end")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicSubscriptionsInsert(TypedDict):
    amount_cents: NotRequired[Annotated[Optional[int], Field(alias="amount_cents")]]
    billing_interval: NotRequired[
        Annotated[Optional[Literal["month", "year"]], Field(alias="billing_interval")]
    ]
    cancel_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancel_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[Optional[str], Field(alias="currency")]]
    current_period_end: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="current_period_end")]
    ]
    current_period_start: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="current_period_start")]
    ]
    due_cents: NotRequired[Annotated[int, Field(alias="due_cents")]]
    grace_until: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="grace_until")]]
    granted_plan_key: NotRequired[
        Annotated[Optional[Literal["free", "pro", "starter"]], Field(alias="granted_plan_key")]
    ]
    granted_until: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="granted_until")]]
    next_plan_key: NotRequired[
        Annotated[Optional[Literal["free", "pro", "starter"]], Field(alias="next_plan_key")]
    ]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    other_subscription_ids: NotRequired[Annotated[List[str], Field(alias="other_subscription_ids")]]
    overdue_since: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="overdue_since")]]
    plan_key: NotRequired[
        Annotated[Optional[Literal["free", "pro", "starter"]], Field(alias="plan_key")]
    ]
    status: NotRequired[
        Annotated[
            Optional[
                Literal[
                    "trialing",
                    "active",
                    "past_due",
                    "unpaid",
                    "canceled",
                    "incomplete",
                    "incomplete_expired",
                    "paused",
                ]
            ],
            Field(alias="status"),
        ]
    ]
    stripe_subscription_id: NotRequired[
        Annotated[Optional[str], Field(alias="stripe_subscription_id")]
    ]
    trial_end: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="trial_end")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicSubscriptionsUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[Optional[int], Field(alias="amount_cents")]]
    billing_interval: NotRequired[
        Annotated[Optional[Literal["month", "year"]], Field(alias="billing_interval")]
    ]
    cancel_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancel_at")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[Optional[str], Field(alias="currency")]]
    current_period_end: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="current_period_end")]
    ]
    current_period_start: NotRequired[
        Annotated[Optional[datetime.datetime], Field(alias="current_period_start")]
    ]
    due_cents: NotRequired[Annotated[int, Field(alias="due_cents")]]
    grace_until: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="grace_until")]]
    granted_plan_key: NotRequired[
        Annotated[Optional[Literal["free", "pro", "starter"]], Field(alias="granted_plan_key")]
    ]
    granted_until: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="granted_until")]]
    next_plan_key: NotRequired[
        Annotated[Optional[Literal["free", "pro", "starter"]], Field(alias="next_plan_key")]
    ]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    other_subscription_ids: NotRequired[Annotated[List[str], Field(alias="other_subscription_ids")]]
    overdue_since: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="overdue_since")]]
    plan_key: NotRequired[
        Annotated[Optional[Literal["free", "pro", "starter"]], Field(alias="plan_key")]
    ]
    status: NotRequired[
        Annotated[
            Optional[
                Literal[
                    "trialing",
                    "active",
                    "past_due",
                    "unpaid",
                    "canceled",
                    "incomplete",
                    "incomplete_expired",
                    "paused",
                ]
            ],
            Field(alias="status"),
        ]
    ]
    stripe_subscription_id: NotRequired[
        Annotated[Optional[str], Field(alias="stripe_subscription_id")]
    ]
    trial_end: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="trial_end")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicSupportEntries(BaseModel):
    admin_user_id: uuid.UUID = Field(alias="admin_user_id")
    ended_at: Optional[datetime.datetime] = Field(alias="ended_at")
    expires_at: datetime.datetime = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    reason: str = Field(alias="reason")
    role_key: str = Field(alias="role_key")
    started_at: datetime.datetime = Field(alias="started_at")


class PublicSupportEntriesInsert(TypedDict):
    admin_user_id: Annotated[uuid.UUID, Field(alias="admin_user_id")]
    ended_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="ended_at")]]
    expires_at: Annotated[datetime.datetime, Field(alias="expires_at")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    reason: Annotated[str, Field(alias="reason")]
    role_key: Annotated[str, Field(alias="role_key")]
    started_at: NotRequired[Annotated[datetime.datetime, Field(alias="started_at")]]


class PublicSupportEntriesUpdate(TypedDict):
    admin_user_id: NotRequired[Annotated[uuid.UUID, Field(alias="admin_user_id")]]
    ended_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="ended_at")]]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    role_key: NotRequired[Annotated[str, Field(alias="role_key")]]
    started_at: NotRequired[Annotated[datetime.datetime, Field(alias="started_at")]]


class PublicTableExports(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")
    finished_at: Optional[datetime.datetime] = Field(alias="finished_at")
    format: Literal["csv", "xlsx", "pdf"] = Field(alias="format")
    from_date: Optional[datetime.date] = Field(alias="from_date")
    id: uuid.UUID = Field(alias="id")
    kind: Literal["bookings", "payments", "customers", "waivers", "results", "month"] = Field(
        alias="kind"
    )
    locale: str = Field(alias="locale")
    location_id: Optional[uuid.UUID] = Field(alias="location_id")
    object_path: Optional[str] = Field(alias="object_path")
    organization_id: uuid.UUID = Field(alias="organization_id")
    permissions: List[str] = Field(alias="permissions")
    progress: int = Field(alias="progress")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    row_count: Optional[int] = Field(alias="row_count")
    row_total: Optional[int] = Field(alias="row_total")
    status: Literal["queued", "finished", "failed"] = Field(alias="status")
    to_date: Optional[datetime.date] = Field(alias="to_date")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")


class PublicTableExportsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    finished_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="finished_at")]]
    format: Annotated[Literal["csv", "xlsx", "pdf"], Field(alias="format")]
    from_date: NotRequired[Annotated[Optional[datetime.date], Field(alias="from_date")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: Annotated[
        Literal["bookings", "payments", "customers", "waivers", "results", "month"],
        Field(alias="kind"),
    ]
    locale: Annotated[str, Field(alias="locale")]
    location_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="location_id")]]
    object_path: NotRequired[Annotated[Optional[str], Field(alias="object_path")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    permissions: Annotated[List[str], Field(alias="permissions")]
    progress: NotRequired[Annotated[int, Field(alias="progress")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    row_count: NotRequired[Annotated[Optional[int], Field(alias="row_count")]]
    row_total: NotRequired[Annotated[Optional[int], Field(alias="row_total")]]
    status: NotRequired[Annotated[Literal["queued", "finished", "failed"], Field(alias="status")]]
    to_date: NotRequired[Annotated[Optional[datetime.date], Field(alias="to_date")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicTableExportsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    finished_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="finished_at")]]
    format: NotRequired[Annotated[Literal["csv", "xlsx", "pdf"], Field(alias="format")]]
    from_date: NotRequired[Annotated[Optional[datetime.date], Field(alias="from_date")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[
        Annotated[
            Literal["bookings", "payments", "customers", "waivers", "results", "month"],
            Field(alias="kind"),
        ]
    ]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    location_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="location_id")]]
    object_path: NotRequired[Annotated[Optional[str], Field(alias="object_path")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    permissions: NotRequired[Annotated[List[str], Field(alias="permissions")]]
    progress: NotRequired[Annotated[int, Field(alias="progress")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    row_count: NotRequired[Annotated[Optional[int], Field(alias="row_count")]]
    row_total: NotRequired[Annotated[Optional[int], Field(alias="row_total")]]
    status: NotRequired[Annotated[Literal["queued", "finished", "failed"], Field(alias="status")]]
    to_date: NotRequired[Annotated[Optional[datetime.date], Field(alias="to_date")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]


class PublicTags(BaseModel):
    color: Optional[str] = Field(alias="color")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicTagsInsert(TypedDict):
    color: NotRequired[Annotated[Optional[str], Field(alias="color")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicTagsUpdate(TypedDict):
    color: NotRequired[Annotated[Optional[str], Field(alias="color")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicVoucherDisputes(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    as_of: datetime.datetime = Field(alias="as_of")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    id: uuid.UUID = Field(alias="id")
    order_id: uuid.UUID = Field(alias="order_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    provider_dispute_id: str = Field(alias="provider_dispute_id")
    reason: str = Field(alias="reason")
    respond_by: Optional[datetime.datetime] = Field(alias="respond_by")
    status: str = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicVoucherDisputesInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    as_of: Annotated[datetime.datetime, Field(alias="as_of")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    order_id: Annotated[uuid.UUID, Field(alias="order_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    provider_dispute_id: Annotated[str, Field(alias="provider_dispute_id")]
    reason: Annotated[str, Field(alias="reason")]
    respond_by: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="respond_by")]]
    status: Annotated[str, Field(alias="status")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicVoucherDisputesUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    as_of: NotRequired[Annotated[datetime.datetime, Field(alias="as_of")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    order_id: NotRequired[Annotated[uuid.UUID, Field(alias="order_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    provider_dispute_id: NotRequired[Annotated[str, Field(alias="provider_dispute_id")]]
    reason: NotRequired[Annotated[str, Field(alias="reason")]]
    respond_by: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="respond_by")]]
    status: NotRequired[Annotated[str, Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicVoucherEntries(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    kind: Literal["issued", "redeemed", "returned", "cancelled", "revoked", "restored"] = Field(
        alias="kind"
    )
    organization_id: uuid.UUID = Field(alias="organization_id")
    payment_id: Optional[uuid.UUID] = Field(alias="payment_id")
    recorded_by: JsonValue = Field(alias="recorded_by")
    voucher_id: uuid.UUID = Field(alias="voucher_id")


class PublicVoucherEntriesInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: Annotated[
        Literal["issued", "redeemed", "returned", "cancelled", "revoked", "restored"],
        Field(alias="kind"),
    ]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    payment_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="payment_id")]]
    recorded_by: NotRequired[Annotated[JsonValue, Field(alias="recorded_by")]]
    voucher_id: Annotated[uuid.UUID, Field(alias="voucher_id")]


class PublicVoucherEntriesUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    kind: NotRequired[
        Annotated[
            Literal["issued", "redeemed", "returned", "cancelled", "revoked", "restored"],
            Field(alias="kind"),
        ]
    ]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    payment_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="payment_id")]]
    recorded_by: NotRequired[Annotated[JsonValue, Field(alias="recorded_by")]]
    voucher_id: NotRequired[Annotated[uuid.UUID, Field(alias="voucher_id")]]


class PublicVoucherOrders(BaseModel):
    accepted_terms: str = Field(alias="accepted_terms")
    amount_cents: int = Field(alias="amount_cents")
    as_of: Optional[datetime.datetime] = Field(alias="as_of")
    buyer_email: Optional[str] = Field(alias="buyer_email")
    buyer_name: str = Field(alias="buyer_name")
    calendar_id: Optional[uuid.UUID] = Field(alias="calendar_id")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    deliver_on: Optional[datetime.date] = Field(alias="deliver_on")
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    locale: str = Field(alias="locale")
    message: str = Field(alias="message")
    opened_at: Optional[datetime.datetime] = Field(alias="opened_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    paid_at: Optional[datetime.datetime] = Field(alias="paid_at")
    platform_fee_cents: int = Field(alias="platform_fee_cents")
    product_id: Optional[uuid.UUID] = Field(alias="product_id")
    product_names: Optional[JsonValue] = Field(alias="product_names")
    provider_payment_id: Optional[str] = Field(alias="provider_payment_id")
    recipient_email: Optional[str] = Field(alias="recipient_email")
    recipient_name: str = Field(alias="recipient_name")
    refund_days: int = Field(alias="refund_days")
    session_id: Optional[str] = Field(alias="session_id")
    status: Literal["open", "failed", "expired", "paid"] = Field(alias="status")
    stripe_account: Optional[str] = Field(alias="stripe_account")
    updated_at: datetime.datetime = Field(alias="updated_at")
    validity_months: Optional[int] = Field(alias="validity_months")
    voucher_id: Optional[uuid.UUID] = Field(alias="voucher_id")


class PublicVoucherOrdersInsert(TypedDict):
    accepted_terms: NotRequired[Annotated[str, Field(alias="accepted_terms")]]
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    as_of: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="as_of")]]
    buyer_email: NotRequired[Annotated[Optional[str], Field(alias="buyer_email")]]
    buyer_name: Annotated[str, Field(alias="buyer_name")]
    calendar_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="calendar_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    deliver_on: NotRequired[Annotated[Optional[datetime.date], Field(alias="deliver_on")]]
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: Annotated[str, Field(alias="locale")]
    message: NotRequired[Annotated[str, Field(alias="message")]]
    opened_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="opened_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    paid_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="paid_at")]]
    platform_fee_cents: NotRequired[Annotated[int, Field(alias="platform_fee_cents")]]
    product_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="product_id")]]
    product_names: NotRequired[Annotated[Optional[JsonValue], Field(alias="product_names")]]
    provider_payment_id: NotRequired[Annotated[Optional[str], Field(alias="provider_payment_id")]]
    recipient_email: NotRequired[Annotated[Optional[str], Field(alias="recipient_email")]]
    recipient_name: NotRequired[Annotated[str, Field(alias="recipient_name")]]
    refund_days: Annotated[int, Field(alias="refund_days")]
    session_id: NotRequired[Annotated[Optional[str], Field(alias="session_id")]]
    status: NotRequired[
        Annotated[Literal["open", "failed", "expired", "paid"], Field(alias="status")]
    ]
    stripe_account: NotRequired[Annotated[Optional[str], Field(alias="stripe_account")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    validity_months: NotRequired[Annotated[Optional[int], Field(alias="validity_months")]]
    voucher_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="voucher_id")]]


class PublicVoucherOrdersUpdate(TypedDict):
    accepted_terms: NotRequired[Annotated[str, Field(alias="accepted_terms")]]
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    as_of: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="as_of")]]
    buyer_email: NotRequired[Annotated[Optional[str], Field(alias="buyer_email")]]
    buyer_name: NotRequired[Annotated[str, Field(alias="buyer_name")]]
    calendar_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="calendar_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    deliver_on: NotRequired[Annotated[Optional[datetime.date], Field(alias="deliver_on")]]
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    message: NotRequired[Annotated[str, Field(alias="message")]]
    opened_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="opened_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    paid_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="paid_at")]]
    platform_fee_cents: NotRequired[Annotated[int, Field(alias="platform_fee_cents")]]
    product_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="product_id")]]
    product_names: NotRequired[Annotated[Optional[JsonValue], Field(alias="product_names")]]
    provider_payment_id: NotRequired[Annotated[Optional[str], Field(alias="provider_payment_id")]]
    recipient_email: NotRequired[Annotated[Optional[str], Field(alias="recipient_email")]]
    recipient_name: NotRequired[Annotated[str, Field(alias="recipient_name")]]
    refund_days: NotRequired[Annotated[int, Field(alias="refund_days")]]
    session_id: NotRequired[Annotated[Optional[str], Field(alias="session_id")]]
    status: NotRequired[
        Annotated[Literal["open", "failed", "expired", "paid"], Field(alias="status")]
    ]
    stripe_account: NotRequired[Annotated[Optional[str], Field(alias="stripe_account")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    validity_months: NotRequired[Annotated[Optional[int], Field(alias="validity_months")]]
    voucher_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="voucher_id")]]


class PublicVoucherProducts(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    created_at: datetime.datetime = Field(alias="created_at")
    descriptions: JsonValue = Field(alias="descriptions")
    id: uuid.UUID = Field(alias="id")
    is_active: bool = Field(alias="is_active")
    names: JsonValue = Field(alias="names")
    organization_id: uuid.UUID = Field(alias="organization_id")
    position: int = Field(alias="position")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicVoucherProductsInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    names: Annotated[JsonValue, Field(alias="names")]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicVoucherProductsUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    descriptions: NotRequired[Annotated[JsonValue, Field(alias="descriptions")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    names: NotRequired[Annotated[JsonValue, Field(alias="names")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    position: NotRequired[Annotated[int, Field(alias="position")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicVoucherRefunds(BaseModel):
    amount_cents: int = Field(alias="amount_cents")
    as_of: Optional[datetime.datetime] = Field(alias="as_of")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    id: uuid.UUID = Field(alias="id")
    order_id: uuid.UUID = Field(alias="order_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    provider_refund_id: Optional[str] = Field(alias="provider_refund_id")
    reason: Literal["staff", "provider"] = Field(alias="reason")
    requested_by: JsonValue = Field(alias="requested_by")
    status: Literal["pending", "succeeded", "failed", "withdrawn"] = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicVoucherRefundsInsert(TypedDict):
    amount_cents: Annotated[int, Field(alias="amount_cents")]
    as_of: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="as_of")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    order_id: Annotated[uuid.UUID, Field(alias="order_id")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    provider_refund_id: NotRequired[Annotated[Optional[str], Field(alias="provider_refund_id")]]
    reason: Annotated[Literal["staff", "provider"], Field(alias="reason")]
    requested_by: NotRequired[Annotated[JsonValue, Field(alias="requested_by")]]
    status: NotRequired[
        Annotated[Literal["pending", "succeeded", "failed", "withdrawn"], Field(alias="status")]
    ]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicVoucherRefundsUpdate(TypedDict):
    amount_cents: NotRequired[Annotated[int, Field(alias="amount_cents")]]
    as_of: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="as_of")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    order_id: NotRequired[Annotated[uuid.UUID, Field(alias="order_id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    provider_refund_id: NotRequired[Annotated[Optional[str], Field(alias="provider_refund_id")]]
    reason: NotRequired[Annotated[Literal["staff", "provider"], Field(alias="reason")]]
    requested_by: NotRequired[Annotated[JsonValue, Field(alias="requested_by")]]
    status: NotRequired[
        Annotated[Literal["pending", "succeeded", "failed", "withdrawn"], Field(alias="status")]
    ]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]


class PublicVoucherSettings(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    is_sold: bool = Field(alias="is_sold")
    maximum_cents: Optional[int] = Field(alias="maximum_cents")
    minimum_cents: Optional[int] = Field(alias="minimum_cents")
    organization_id: uuid.UUID = Field(alias="organization_id")
    refund_days: int = Field(alias="refund_days")
    updated_at: datetime.datetime = Field(alias="updated_at")
    validity_months: Optional[int] = Field(alias="validity_months")


class PublicVoucherSettingsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    is_sold: Annotated[bool, Field(alias="is_sold")]
    maximum_cents: NotRequired[Annotated[Optional[int], Field(alias="maximum_cents")]]
    minimum_cents: NotRequired[Annotated[Optional[int], Field(alias="minimum_cents")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    refund_days: Annotated[int, Field(alias="refund_days")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    validity_months: NotRequired[Annotated[Optional[int], Field(alias="validity_months")]]


class PublicVoucherSettingsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    is_sold: NotRequired[Annotated[bool, Field(alias="is_sold")]]
    maximum_cents: NotRequired[Annotated[Optional[int], Field(alias="maximum_cents")]]
    minimum_cents: NotRequired[Annotated[Optional[int], Field(alias="minimum_cents")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    refund_days: NotRequired[Annotated[int, Field(alias="refund_days")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    validity_months: NotRequired[Annotated[Optional[int], Field(alias="validity_months")]]


class PublicVouchers(BaseModel):
    balance_cents: int = Field(alias="balance_cents")
    code: str = Field(alias="code")
    created_at: datetime.datetime = Field(alias="created_at")
    currency: str = Field(alias="currency")
    expired_at: Optional[datetime.datetime] = Field(alias="expired_at")
    id: uuid.UUID = Field(alias="id")
    locale: str = Field(alias="locale")
    message: str = Field(alias="message")
    organization_id: uuid.UUID = Field(alias="organization_id")
    recipient_email: Optional[str] = Field(alias="recipient_email")
    recipient_name: str = Field(alias="recipient_name")
    status: Literal["active", "blocked", "cancelled"] = Field(alias="status")
    updated_at: datetime.datetime = Field(alias="updated_at")
    valid_until: Optional[datetime.date] = Field(alias="valid_until")


class PublicVouchersInsert(TypedDict):
    balance_cents: NotRequired[Annotated[int, Field(alias="balance_cents")]]
    code: Annotated[str, Field(alias="code")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: Annotated[str, Field(alias="currency")]
    expired_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expired_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: Annotated[str, Field(alias="locale")]
    message: NotRequired[Annotated[str, Field(alias="message")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    recipient_email: NotRequired[Annotated[Optional[str], Field(alias="recipient_email")]]
    recipient_name: NotRequired[Annotated[str, Field(alias="recipient_name")]]
    status: NotRequired[Annotated[Literal["active", "blocked", "cancelled"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    valid_until: NotRequired[Annotated[Optional[datetime.date], Field(alias="valid_until")]]


class PublicVouchersUpdate(TypedDict):
    balance_cents: NotRequired[Annotated[int, Field(alias="balance_cents")]]
    code: NotRequired[Annotated[str, Field(alias="code")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    currency: NotRequired[Annotated[str, Field(alias="currency")]]
    expired_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expired_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    message: NotRequired[Annotated[str, Field(alias="message")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    recipient_email: NotRequired[Annotated[Optional[str], Field(alias="recipient_email")]]
    recipient_name: NotRequired[Annotated[str, Field(alias="recipient_name")]]
    status: NotRequired[Annotated[Literal["active", "blocked", "cancelled"], Field(alias="status")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    valid_until: NotRequired[Annotated[Optional[datetime.date], Field(alias="valid_until")]]


class PublicWaitlistEntries(BaseModel):
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    calendar_id: uuid.UUID = Field(alias="calendar_id")
    consents: JsonValue = Field(alias="consents")
    contact_name: str = Field(alias="contact_name")
    contact_phone: Optional[str] = Field(alias="contact_phone")
    created_at: datetime.datetime = Field(alias="created_at")
    customer_id: uuid.UUID = Field(alias="customer_id")
    fields: JsonValue = Field(alias="fields")
    from_date: datetime.date = Field(alias="from_date")
    id: uuid.UUID = Field(alias="id")
    locale: str = Field(alias="locale")
    looked_at: datetime.datetime = Field(alias="looked_at")
    offered_at: Optional[datetime.datetime] = Field(alias="offered_at")
    organization_id: uuid.UUID = Field(alias="organization_id")
    party_size: int = Field(alias="party_size")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    starts_at: Optional[datetime.datetime] = Field(alias="starts_at")
    status: Literal[
        "waiting", "offered", "booked", "lapsed", "declined", "left", "removed", "expired"
    ] = Field(alias="status")
    to_date: datetime.date = Field(alias="to_date")
    updated_at: datetime.datetime = Field(alias="updated_at")
    waits_until: datetime.datetime = Field(alias="waits_until")


class PublicWaitlistEntriesInsert(TypedDict):
    booking_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="booking_id")]]
    calendar_id: Annotated[uuid.UUID, Field(alias="calendar_id")]
    consents: NotRequired[Annotated[JsonValue, Field(alias="consents")]]
    contact_name: Annotated[str, Field(alias="contact_name")]
    contact_phone: NotRequired[Annotated[Optional[str], Field(alias="contact_phone")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    customer_id: Annotated[uuid.UUID, Field(alias="customer_id")]
    fields: NotRequired[Annotated[JsonValue, Field(alias="fields")]]
    from_date: Annotated[datetime.date, Field(alias="from_date")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: Annotated[str, Field(alias="locale")]
    looked_at: NotRequired[Annotated[datetime.datetime, Field(alias="looked_at")]]
    offered_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="offered_at")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    party_size: Annotated[int, Field(alias="party_size")]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    starts_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="starts_at")]]
    status: NotRequired[
        Annotated[
            Literal[
                "waiting", "offered", "booked", "lapsed", "declined", "left", "removed", "expired"
            ],
            Field(alias="status"),
        ]
    ]
    to_date: Annotated[datetime.date, Field(alias="to_date")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    waits_until: Annotated[datetime.datetime, Field(alias="waits_until")]


class PublicWaitlistEntriesUpdate(TypedDict):
    booking_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="booking_id")]]
    calendar_id: NotRequired[Annotated[uuid.UUID, Field(alias="calendar_id")]]
    consents: NotRequired[Annotated[JsonValue, Field(alias="consents")]]
    contact_name: NotRequired[Annotated[str, Field(alias="contact_name")]]
    contact_phone: NotRequired[Annotated[Optional[str], Field(alias="contact_phone")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    customer_id: NotRequired[Annotated[uuid.UUID, Field(alias="customer_id")]]
    fields: NotRequired[Annotated[JsonValue, Field(alias="fields")]]
    from_date: NotRequired[Annotated[datetime.date, Field(alias="from_date")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    looked_at: NotRequired[Annotated[datetime.datetime, Field(alias="looked_at")]]
    offered_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="offered_at")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    party_size: NotRequired[Annotated[int, Field(alias="party_size")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    starts_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="starts_at")]]
    status: NotRequired[
        Annotated[
            Literal[
                "waiting", "offered", "booked", "lapsed", "declined", "left", "removed", "expired"
            ],
            Field(alias="status"),
        ]
    ]
    to_date: NotRequired[Annotated[datetime.date, Field(alias="to_date")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    waits_until: NotRequired[Annotated[datetime.datetime, Field(alias="waits_until")]]


class PublicWaiverKiosks(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    created_by: Optional[uuid.UUID] = Field(alias="created_by")
    id: uuid.UUID = Field(alias="id")
    location_id: uuid.UUID = Field(alias="location_id")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    revoked_at: Optional[datetime.datetime] = Field(alias="revoked_at")
    support_entry_id: Optional[uuid.UUID] = Field(alias="support_entry_id")


class PublicWaiverKiosksInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="created_by")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    location_id: Annotated[uuid.UUID, Field(alias="location_id")]
    name: Annotated[str, Field(alias="name")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    revoked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="revoked_at")]]
    support_entry_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="support_entry_id")]]


class PublicWaiverKiosksUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="created_by")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    location_id: NotRequired[Annotated[uuid.UUID, Field(alias="location_id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    revoked_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="revoked_at")]]
    support_entry_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="support_entry_id")]]


class PublicWaiverSignatures(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    email: Optional[str] = Field(alias="email")
    full_name: str = Field(alias="full_name")
    id: uuid.UUID = Field(alias="id")
    locale: str = Field(alias="locale")
    minors: JsonValue = Field(alias="minors")
    organization_id: uuid.UUID = Field(alias="organization_id")
    people: int = Field(alias="people")
    plays: bool = Field(alias="plays")
    signed_at: datetime.datetime = Field(alias="signed_at")
    version: int = Field(alias="version")
    waiver_text_id: uuid.UUID = Field(alias="waiver_text_id")


class PublicWaiverSignaturesInsert(TypedDict):
    booking_id: Annotated[uuid.UUID, Field(alias="booking_id")]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    full_name: Annotated[str, Field(alias="full_name")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: Annotated[str, Field(alias="locale")]
    minors: NotRequired[Annotated[JsonValue, Field(alias="minors")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    people: Annotated[int, Field(alias="people")]
    plays: Annotated[bool, Field(alias="plays")]
    signed_at: NotRequired[Annotated[datetime.datetime, Field(alias="signed_at")]]
    version: Annotated[int, Field(alias="version")]
    waiver_text_id: Annotated[uuid.UUID, Field(alias="waiver_text_id")]


class PublicWaiverSignaturesUpdate(TypedDict):
    booking_id: NotRequired[Annotated[uuid.UUID, Field(alias="booking_id")]]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    full_name: NotRequired[Annotated[str, Field(alias="full_name")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    locale: NotRequired[Annotated[str, Field(alias="locale")]]
    minors: NotRequired[Annotated[JsonValue, Field(alias="minors")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    people: NotRequired[Annotated[int, Field(alias="people")]]
    plays: NotRequired[Annotated[bool, Field(alias="plays")]]
    signed_at: NotRequired[Annotated[datetime.datetime, Field(alias="signed_at")]]
    version: NotRequired[Annotated[int, Field(alias="version")]]
    waiver_text_id: NotRequired[Annotated[uuid.UUID, Field(alias="waiver_text_id")]]


class PublicWaiverTexts(BaseModel):
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    published_at: datetime.datetime = Field(alias="published_at")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    texts: JsonValue = Field(alias="texts")
    version: int = Field(alias="version")


class PublicWaiverTextsInsert(TypedDict):
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    published_at: NotRequired[Annotated[datetime.datetime, Field(alias="published_at")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    texts: Annotated[JsonValue, Field(alias="texts")]
    version: Annotated[int, Field(alias="version")]


class PublicWaiverTextsUpdate(TypedDict):
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    published_at: NotRequired[Annotated[datetime.datetime, Field(alias="published_at")]]
    room_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="room_id")]]
    texts: NotRequired[Annotated[JsonValue, Field(alias="texts")]]
    version: NotRequired[Annotated[int, Field(alias="version")]]


class PublicWebhookEndpoints(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    created_by: Optional[uuid.UUID] = Field(alias="created_by")
    disabled_at: Optional[datetime.datetime] = Field(alias="disabled_at")
    disabled_reason: Optional[Literal["by_hand", "failing", "gone"]] = Field(
        alias="disabled_reason"
    )
    events: List[str] = Field(alias="events")
    id: uuid.UUID = Field(alias="id")
    includes_personal_data: bool = Field(alias="includes_personal_data")
    is_active: bool = Field(alias="is_active")
    name: str = Field(alias="name")
    organization_id: uuid.UUID = Field(alias="organization_id")
    rotated_at: Optional[datetime.datetime] = Field(alias="rotated_at")
    updated_at: datetime.datetime = Field(alias="updated_at")
    url: str = Field(alias="url")


class PublicWebhookEndpointsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="created_by")]]
    disabled_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="disabled_at")]]
    disabled_reason: NotRequired[
        Annotated[Optional[Literal["by_hand", "failing", "gone"]], Field(alias="disabled_reason")]
    ]
    events: Annotated[List[str], Field(alias="events")]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    includes_personal_data: NotRequired[Annotated[bool, Field(alias="includes_personal_data")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    name: Annotated[str, Field(alias="name")]
    organization_id: Annotated[uuid.UUID, Field(alias="organization_id")]
    rotated_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="rotated_at")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    url: Annotated[str, Field(alias="url")]


class PublicWebhookEndpointsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    created_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="created_by")]]
    disabled_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="disabled_at")]]
    disabled_reason: NotRequired[
        Annotated[Optional[Literal["by_hand", "failing", "gone"]], Field(alias="disabled_reason")]
    ]
    events: NotRequired[Annotated[List[str], Field(alias="events")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    includes_personal_data: NotRequired[Annotated[bool, Field(alias="includes_personal_data")]]
    is_active: NotRequired[Annotated[bool, Field(alias="is_active")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    organization_id: NotRequired[Annotated[uuid.UUID, Field(alias="organization_id")]]
    rotated_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="rotated_at")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    url: NotRequired[Annotated[str, Field(alias="url")]]


class PublicAssignedSession(BaseModel):
    session_id: uuid.UUID = Field(alias="session_id")
    room_id: uuid.UUID = Field(alias="room_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicAssignment(BaseModel):
    session_id: uuid.UUID = Field(alias="session_id")
    user_id: uuid.UUID = Field(alias="user_id")
    source: Literal["assigned", "claimed", "automatic"] = Field(alias="source")
    is_skilled: bool = Field(alias="is_skilled")
    is_on_shift: bool = Field(alias="is_on_shift")


class PublicAssignmentPlan(BaseModel):
    assigned: List[PublicAssignedSession] = Field(alias="assigned")
    unassigned: List[PublicUnassignedSession] = Field(alias="unassigned")


class PublicAvailableDay(BaseModel):
    local_date: datetime.date = Field(alias="local_date")
    free: int = Field(alias="free")
    taken: int = Field(alias="taken")
    price_cents: Optional[int] = Field(alias="price_cents")
    highest_price_cents: Optional[int] = Field(alias="highest_price_cents")


class PublicAvailableSlot(BaseModel):
    room_id: uuid.UUID = Field(alias="room_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    local_date: datetime.date = Field(alias="local_date")
    local_time: str = Field(alias="local_time")
    timezone: str = Field(alias="timezone")
    seats_available: int = Field(alias="seats_available")
    price_cents: int = Field(alias="price_cents")
    currency: str = Field(alias="currency")
    is_empty: bool = Field(alias="is_empty")


class PublicBillingOverview(BaseModel):
    plan_key: str = Field(alias="plan_key")
    plan_name: str = Field(alias="plan_name")
    comes_from: Literal["subscription", "grant", "default"] = Field(alias="comes_from")
    uses: List[PublicPlanUse] = Field(alias="uses")
    subscription: Optional[PublicSubscriptions] = Field(alias="subscription")
    trial_available: bool = Field(alias="trial_available")
    writes_end_at: Optional[datetime.datetime] = Field(alias="writes_end_at")
    sales_end_at: Optional[datetime.datetime] = Field(alias="sales_end_at")


class PublicBillingPass(BaseModel):
    token: str = Field(alias="token")
    expires_at: datetime.datetime = Field(alias="expires_at")


class PublicBoard(BaseModel):
    date: datetime.date = Field(alias="date")
    unassigned: int = Field(alias="unassigned")
    locations: List[PublicBoardLocation] = Field(alias="locations")


class PublicBoardBlock(BaseModel):
    session_id: uuid.UUID = Field(alias="session_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    reason: Optional[str] = Field(alias="reason")


class PublicBoardBooking(BaseModel):
    id: uuid.UUID = Field(alias="id")
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    contact_name: Optional[str] = Field(alias="contact_name")
    party_size: int = Field(alias="party_size")
    exclusive: bool = Field(alias="exclusive")
    customer_note: Optional[str] = Field(alias="customer_note")
    staff_note: str = Field(alias="staff_note")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    paid_cents: Optional[int] = Field(alias="paid_cents")
    refunded_cents: Optional[int] = Field(alias="refunded_cents")
    open_cents: Optional[int] = Field(alias="open_cents")
    waiver: PublicWaiverProgress = Field(alias="waiver")
    late_minutes: Optional[int] = Field(alias="late_minutes")
    mail_problem: Optional[
        Literal["bounced", "complained", "failed", "suppressed", "limited", "dead"]
    ] = Field(alias="mail_problem")


class PublicBoardLocation(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    timezone: str = Field(alias="timezone")
    rooms: List[PublicBoardRoom] = Field(alias="rooms")
    shifts: Optional[List[PublicBoardShift]] = Field(alias="shifts")


class PublicBoardPerson(BaseModel):
    user_id: uuid.UUID = Field(alias="user_id")
    full_name: Optional[str] = Field(alias="full_name")
    source: Literal["assigned", "claimed", "automatic"] = Field(alias="source")
    is_skilled: Optional[bool] = Field(alias="is_skilled")
    is_on_shift: Optional[bool] = Field(alias="is_on_shift")


class PublicBoardRoom(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    sessions: List[PublicBoardSession] = Field(alias="sessions")
    blocks: List[PublicBoardBlock] = Field(alias="blocks")


class PublicBoardSession(BaseModel):
    id: uuid.UUID = Field(alias="id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    occupied_until: datetime.datetime = Field(alias="occupied_until")
    local_time: str = Field(alias="local_time")
    mode: Literal["private", "shared"] = Field(alias="mode")
    status: Literal["booked", "held"] = Field(alias="status")
    capacity: int = Field(alias="capacity")
    seats_taken: int = Field(alias="seats_taken")
    bookings: List[PublicBoardBooking] = Field(alias="bookings")
    is_unassigned: bool = Field(alias="is_unassigned")
    staff: List[PublicBoardPerson] = Field(alias="staff")
    candidates: Optional[List[uuid.UUID]] = Field(alias="candidates")
    game: Optional[PublicGameClock] = Field(alias="game")


class PublicBoardShift(BaseModel):
    id: uuid.UUID = Field(alias="id")
    user_id: uuid.UUID = Field(alias="user_id")
    full_name: Optional[str] = Field(alias="full_name")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    sessions: int = Field(alias="sessions")


class PublicBookedExtra(BaseModel):
    extra_id: uuid.UUID = Field(alias="extra_id")
    name: str = Field(alias="name")
    quantity: int = Field(alias="quantity")


class PublicBooking(BaseModel):
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "expired",
        "cancelled",
        "no_show",
    ] = Field(alias="status")
    hold_expires_at: Optional[datetime.datetime] = Field(alias="hold_expires_at")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    timezone: str = Field(alias="timezone")
    room_id: uuid.UUID = Field(alias="room_id")
    room_name: str = Field(alias="room_name")
    party_size: int = Field(alias="party_size")
    seats: int = Field(alias="seats")
    exclusive: bool = Field(alias="exclusive")
    extras: List[PublicBookedExtra] = Field(alias="extras")
    fields: JsonValue = Field(alias="fields")
    customer_note: str = Field(alias="customer_note")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    paid_cents: int = Field(alias="paid_cents")
    refunded_cents: int = Field(alias="refunded_cents")
    open_cents: int = Field(alias="open_cents")
    terms: PublicCancellationTerms = Field(alias="terms")
    customer: PublicBookingCustomer = Field(alias="customer")
    organization: PublicVenue = Field(alias="organization")
    location: PublicBookingPlace = Field(alias="location")
    event: PublicBookingEvent = Field(alias="event")
    waiver: PublicBookingWaiver = Field(alias="waiver")
    lines: List[PublicPriceLine] = Field(alias="lines")
    cancellable: bool = Field(alias="cancellable")
    cancellation: PublicCancellation = Field(alias="cancellation")
    reschedulable: bool = Field(alias="reschedulable")
    confirm_by_email: bool = Field(alias="confirm_by_email")
    history: List[PublicBookingStep] = Field(alias="history")
    manage_token: Optional[str] = Field(alias="manage_token")
    payable_cents: int = Field(alias="payable_cents")
    rest_payable_until: Optional[datetime.datetime] = Field(alias="rest_payable_until")
    payment_open: bool = Field(alias="payment_open")
    merged_into: Optional[str] = Field(alias="merged_into")
    shared_cents: int = Field(alias="shared_cents")
    with_order: bool = Field(alias="with_order")


class PublicBookingComment(BaseModel):
    id: uuid.UUID = Field(alias="id")
    booking_id: uuid.UUID = Field(alias="booking_id")
    body: str = Field(alias="body")
    author_kind: Literal["user", "api_key"] = Field(alias="author_kind")
    author_id: uuid.UUID = Field(alias="author_id")
    created_at: datetime.datetime = Field(alias="created_at")
    edited_at: Optional[datetime.datetime] = Field(alias="edited_at")


class PublicBookingCustomer(BaseModel):
    full_name: str = Field(alias="full_name")
    email: Optional[str] = Field(alias="email")


class PublicBookingEmail(BaseModel):
    id: uuid.UUID = Field(alias="id")
    template: str = Field(alias="template")
    recipient: Optional[str] = Field(alias="recipient")
    locale: Optional[str] = Field(alias="locale")
    status: Literal[
        "waiting",
        "sent",
        "delivered",
        "not_needed",
        "dead",
        "bounced",
        "complained",
        "failed",
        "suppressed",
        "limited",
    ] = Field(alias="status")
    reason: Optional[str] = Field(alias="reason")
    created_at: datetime.datetime = Field(alias="created_at")
    sent_at: Optional[datetime.datetime] = Field(alias="sent_at")
    due_at: Optional[datetime.datetime] = Field(alias="due_at")
    delivered_at: Optional[datetime.datetime] = Field(alias="delivered_at")
    opened_at: Optional[datetime.datetime] = Field(alias="opened_at")


class PublicBookingEvent(BaseModel):
    uid: uuid.UUID = Field(alias="uid")
    sequence: int = Field(alias="sequence")
    updated_at: datetime.datetime = Field(alias="updated_at")


class PublicBookingLink(BaseModel):
    reference: str = Field(alias="reference")
    manage_token: str = Field(alias="manage_token")


class PublicBookingOrder(BaseModel):
    reference: str = Field(alias="reference")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    paid_cents: int = Field(alias="paid_cents")
    refunded_cents: int = Field(alias="refunded_cents")
    open_cents: int = Field(alias="open_cents")
    payable_cents: int = Field(alias="payable_cents")
    cancellable: bool = Field(alias="cancellable")
    reschedulable: bool = Field(alias="reschedulable")
    payment_open: bool = Field(alias="payment_open")
    bookings: List[PublicBooking] = Field(alias="bookings")


class PublicBookingParty(BaseModel):
    version: str = Field(alias="version")
    maximum: int = Field(alias="maximum")
    open: bool = Field(alias="open")
    people: List[PublicBookingPerson] = Field(alias="people")


class PublicBookingPerson(BaseModel):
    id: uuid.UUID = Field(alias="id")
    full_name: str = Field(alias="full_name")
    email: Optional[str] = Field(alias="email")
    phone: Optional[str] = Field(alias="phone")
    signed: bool = Field(alias="signed")
    paid: bool = Field(alias="paid")


class PublicBookingPlace(BaseModel):
    name: str = Field(alias="name")
    address: str = Field(alias="address")
    phone: Optional[str] = Field(alias="phone")
    arrival_hints: Optional[str] = Field(alias="arrival_hints")
    directions: Optional[str] = Field(alias="directions")
    latitude: Optional[float] = Field(alias="latitude")
    longitude: Optional[float] = Field(alias="longitude")
    line: str = Field(alias="line")


class PublicBookingRefund(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    refundable_cents: int = Field(alias="refundable_cents")
    refunds: List[PublicPromisedRefund] = Field(alias="refunds")


class PublicBookingSearch(BaseModel):
    bookings: List[PublicFoundBooking] = Field(alias="bookings")
    has_more: bool = Field(alias="has_more")


class PublicBookingShare(BaseModel):
    share_id: uuid.UUID = Field(alias="share_id")
    share_token: str = Field(alias="share_token")
    name: str = Field(alias="name")
    email: Optional[str] = Field(alias="email")
    amount_cents: int = Field(alias="amount_cents")
    status: Literal["open", "paid", "ended"] = Field(alias="status")
    ended_reason: Optional[Literal["taken_over", "late", "changed", "covered", "booking_over"]] = (
        Field(alias="ended_reason")
    )
    expires_at: datetime.datetime = Field(alias="expires_at")
    paid_at: Optional[datetime.datetime] = Field(alias="paid_at")
    paying: bool = Field(alias="paying")
    reminders: int = Field(alias="reminders")
    reminded_at: Optional[datetime.datetime] = Field(alias="reminded_at")


class PublicBookingSplit(BaseModel):
    reference: str = Field(alias="reference")
    currency: str = Field(alias="currency")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    total_cents: int = Field(alias="total_cents")
    open_cents: int = Field(alias="open_cents")
    organizer_cents: int = Field(alias="organizer_cents")
    hold_expires_at: Optional[datetime.datetime] = Field(alias="hold_expires_at")
    late_shares: Literal["organizer", "release"] = Field(alias="late_shares")
    calendar: Optional[str] = Field(alias="calendar")
    site_url: Optional[str] = Field(alias="site_url")
    shares: List[PublicBookingShare] = Field(alias="shares")


class PublicBookingStep(BaseModel):
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "expired",
        "cancelled",
        "no_show",
    ] = Field(alias="status")
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    change: Optional[JsonValue] = Field(alias="change")


class PublicBookingSums(BaseModel):
    bookings: int = Field(alias="bookings")
    players: int = Field(alias="players")
    cancelled: int = Field(alias="cancelled")
    no_shows: int = Field(alias="no_shows")
    cancelled_bp: Optional[int] = Field(alias="cancelled_bp")
    no_show_bp: Optional[int] = Field(alias="no_show_bp")
    lead_minutes: Optional[int] = Field(alias="lead_minutes")
    customers: int = Field(alias="customers")
    new_customers: int = Field(alias="new_customers")
    returning_customers: int = Field(alias="returning_customers")


class PublicBookingWaiver(BaseModel):
    policy: Literal["none", "optional", "required"] = Field(alias="policy")
    signed: int = Field(alias="signed")
    needed: int = Field(alias="needed")
    missing: int = Field(alias="missing")
    token: Optional[str] = Field(alias="token")


class PublicBookingsByStatus(BaseModel):
    held: int = Field(alias="held")
    pending: int = Field(alias="pending")
    confirmed: int = Field(alias="confirmed")
    checked_in: int = Field(alias="checked_in")
    in_progress: int = Field(alias="in_progress")
    completed: int = Field(alias="completed")
    expired: int = Field(alias="expired")
    cancelled: int = Field(alias="cancelled")
    no_show: int = Field(alias="no_show")


class PublicBookingsReport(BaseModel):
    from_date: datetime.date = Field(alias="from_date")
    to_date: datetime.date = Field(alias="to_date")
    previous_from_date: datetime.date = Field(alias="previous_from_date")
    previous_to_date: datetime.date = Field(alias="previous_to_date")
    total: PublicBookingSums = Field(alias="total")
    previous: PublicBookingSums = Field(alias="previous")
    statuses: List[PublicStatusBookings] = Field(alias="statuses")
    party_sizes: List[PublicPartyBookings] = Field(alias="party_sizes")
    lead_times: List[PublicLeadBookings] = Field(alias="lead_times")
    rooms: List[PublicRoomBookings] = Field(alias="rooms")
    locations: List[PublicLocationBookings] = Field(alias="locations")
    channels: List[PublicChannelBookings] = Field(alias="channels")


class PublicCalendar(BaseModel):
    now: datetime.datetime = Field(alias="now")
    slug: str = Field(alias="slug")
    name: str = Field(alias="name")
    organization: PublicVenue = Field(alias="organization")
    timezone: str = Field(alias="timezone")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    locales: List[str] = Field(alias="locales")
    currency: str = Field(alias="currency")
    minimum_notice_minutes: int = Field(alias="minimum_notice_minutes")
    maximum_advance_days: int = Field(alias="maximum_advance_days")
    hold_minutes: int = Field(alias="hold_minutes")
    has_coupons: bool = Field(alias="has_coupons")
    has_vouchers: bool = Field(alias="has_vouchers")
    flow: Literal["room_first", "date_first"] = Field(alias="flow")
    theme: Literal["auto", "light", "dark"] = Field(alias="theme")
    accent_color: Optional[str] = Field(alias="accent_color")
    terms: JsonValue = Field(alias="terms")
    fee: PublicCalendarFee = Field(alias="fee")
    waitlist: bool = Field(alias="waitlist")
    shows_taken_times: bool = Field(alias="shows_taken_times")
    fields: List[PublicCalendarField] = Field(alias="fields")
    rooms: List[PublicCalendarRoom] = Field(alias="rooms")
    venue: PublicVenueProfile = Field(alias="venue")
    locations: List[PublicCalendarLocation] = Field(alias="locations")
    descriptions: JsonValue = Field(alias="descriptions")


class PublicCalendarFee(BaseModel):
    kind: Literal["none", "booking", "person", "percent"] = Field(alias="kind")
    value: int = Field(alias="value")


class PublicCalendarFeed(BaseModel):
    name: str = Field(alias="name")
    timezone: str = Field(alias="timezone")
    updated_at: Optional[datetime.datetime] = Field(alias="updated_at")
    version: str = Field(alias="version")
    sessions: List[PublicFeedSession] = Field(alias="sessions")


class PublicCalendarField(BaseModel):
    key: str = Field(alias="key")
    label: JsonValue = Field(alias="label")
    help: JsonValue = Field(alias="help")
    kind: Literal["text", "textarea", "email", "phone", "number", "select", "checkbox", "date"] = (
        Field(alias="kind")
    )
    required: bool = Field(alias="required")
    pattern: Optional[str] = Field(alias="pattern")
    options: List[PublicFieldChoice] = Field(alias="options")
    placeholder: JsonValue = Field(alias="placeholder")
    minimum_length: Optional[int] = Field(alias="minimum_length")
    maximum_length: Optional[int] = Field(alias="maximum_length")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")


class PublicCalendarLocation(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    timezone: str = Field(alias="timezone")
    address: str = Field(alias="address")
    phone: Optional[str] = Field(alias="phone")
    latitude: Optional[float] = Field(alias="latitude")
    longitude: Optional[float] = Field(alias="longitude")
    directions: JsonValue = Field(alias="directions")


class PublicCalendarRoom(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    slug: str = Field(alias="slug")
    description: str = Field(alias="description")
    minimum_party: int = Field(alias="minimum_party")
    maximum_party: int = Field(alias="maximum_party")
    capacity: int = Field(alias="capacity")
    duration_minutes: int = Field(alias="duration_minutes")
    minimum_notice_minutes: int = Field(alias="minimum_notice_minutes")
    maximum_advance_days: int = Field(alias="maximum_advance_days")
    mode: Literal["private", "shared"] = Field(alias="mode")
    price_per: Literal["person", "session"] = Field(alias="price_per")
    price_cents: int = Field(alias="price_cents")
    exclusive_price_cents: Optional[int] = Field(alias="exclusive_price_cents")
    deposit: PublicRoomDeposit = Field(alias="deposit")
    cancellation: List[PublicCancellationTier] = Field(alias="cancellation")
    waiver_policy: Literal["none", "optional", "required"] = Field(alias="waiver_policy")
    difficulty: Optional[int] = Field(alias="difficulty")
    images: List[PublicRoomImage] = Field(alias="images")
    extras: List[PublicRoomExtra] = Field(alias="extras")
    location_name: str = Field(alias="location_name")
    timezone: str = Field(alias="timezone")
    names: JsonValue = Field(alias="names")
    descriptions: JsonValue = Field(alias="descriptions")
    theme: Optional[
        Literal[
            "adventure",
            "comedy",
            "crime",
            "family",
            "fantasy",
            "history",
            "horror",
            "mystery",
            "science_fiction",
            "other",
        ]
    ] = Field(alias="theme")
    color: Optional[str] = Field(alias="color")
    video_url: Optional[str] = Field(alias="video_url")
    minimum_age: Optional[int] = Field(alias="minimum_age")
    minimum_age_accompanied: Optional[int] = Field(alias="minimum_age_accompanied")
    fear: Optional[int] = Field(alias="fear")
    physical_level: Optional[int] = Field(alias="physical_level")
    languages: List[str] = Field(alias="languages")
    is_accessible: bool = Field(alias="is_accessible")
    has_actors: bool = Field(alias="has_actors")
    tags: List[str] = Field(alias="tags")
    location_id: uuid.UUID = Field(alias="location_id")


class PublicCancellation(BaseModel):
    refund_percent: int = Field(alias="refund_percent")
    refund_cents: int = Field(alias="refund_cents")
    disputed_cents: int = Field(alias="disputed_cents")
    lost_cents: int = Field(alias="lost_cents")


class PublicCancellationTerms(BaseModel):
    tiers: List[PublicCancellationTier] = Field(alias="tiers")
    no_show_fee_percent: int = Field(alias="no_show_fee_percent")


class PublicCancellationTier(BaseModel):
    hours_before: int = Field(alias="hours_before")
    refund_percent: int = Field(alias="refund_percent")


class PublicCashCount(BaseModel):
    method: Literal["cash", "card_terminal", "transfer", "bizum"] = Field(alias="method")
    taken_cents: Optional[int] = Field(alias="taken_cents")
    expected_cents: Optional[int] = Field(alias="expected_cents")
    counted_cents: Optional[int] = Field(alias="counted_cents")
    difference_cents: Optional[int] = Field(alias="difference_cents")
    persons: Optional[List[PublicCashTaken]] = Field(alias="persons")


class PublicCashDayReport(BaseModel):
    cash_day_id: uuid.UUID = Field(alias="cash_day_id")
    location_id: uuid.UUID = Field(alias="location_id")
    currency: str = Field(alias="currency")
    opened_at: datetime.datetime = Field(alias="opened_at")
    closed_at: Optional[datetime.datetime] = Field(alias="closed_at")
    float_cents: Optional[int] = Field(alias="float_cents")
    counts: List[PublicCashCount] = Field(alias="counts")


class PublicCashTaken(BaseModel):
    actor_kind: Literal["user", "api_key", "support", "service", "customer", "system"] = Field(
        alias="actor_kind"
    )
    actor_id: Optional[uuid.UUID] = Field(alias="actor_id")
    amount_cents: int = Field(alias="amount_cents")


class PublicChangeQuote(BaseModel):
    room_id: uuid.UUID = Field(alias="room_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    party_size: int = Field(alias="party_size")
    exclusive: bool = Field(alias="exclusive")
    extras: List[PublicBookedExtra] = Field(alias="extras")
    currency: str = Field(alias="currency")
    lines: List[PublicPriceLine] = Field(alias="lines")
    total_cents: int = Field(alias="total_cents")
    tax_cents: int = Field(alias="tax_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    difference_cents: int = Field(alias="difference_cents")
    refund_cents: int = Field(alias="refund_cents")
    open_cents: int = Field(alias="open_cents")
    terms: PublicCancellationTerms = Field(alias="terms")
    disputed_cents: int = Field(alias="disputed_cents")


class PublicChangedRow(BaseModel):
    table_name: str = Field(alias="table_name")
    row_key: str = Field(alias="row_key")
    action: Literal["insert", "update", "delete"] = Field(alias="action")
    occurred_at: datetime.datetime = Field(alias="occurred_at")


class PublicChannelBookings(BaseModel):
    channel: Literal["widget", "direct", "marketplace", "api"] = Field(alias="channel")
    sums: PublicBookingSums = Field(alias="sums")
    previous: PublicBookingSums = Field(alias="previous")


class PublicChannelRevenue(BaseModel):
    channel: Literal["widget", "direct", "marketplace", "api"] = Field(alias="channel")
    sums: PublicRevenueSums = Field(alias="sums")
    previous: PublicRevenueSums = Field(alias="previous")


class PublicChecklist(BaseModel):
    session_id: uuid.UUID = Field(alias="session_id")
    entries: List[PublicChecklistEntry] = Field(alias="entries")


class PublicChecklistEntry(BaseModel):
    item_id: uuid.UUID = Field(alias="item_id")
    session_id: uuid.UUID = Field(alias="session_id")
    phase: Literal["opening", "before_game", "reset"] = Field(alias="phase")
    title: str = Field(alias="title")
    is_required: bool = Field(alias="is_required")
    ticked_at: Optional[datetime.datetime] = Field(alias="ticked_at")
    ticked_by: Optional[uuid.UUID] = Field(alias="ticked_by")
    stops_start: bool = Field(alias="stops_start")


class PublicClosedOrganization(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    slug: str = Field(alias="slug")
    status: Literal["active", "suspended", "closed"] = Field(alias="status")
    timezone: str = Field(alias="timezone")
    currency: str = Field(alias="currency")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    erased_after: datetime.datetime = Field(alias="erased_after")


class PublicConsent(BaseModel):
    granted: bool = Field(alias="granted")
    at: datetime.datetime = Field(alias="at")
    wording: str = Field(alias="wording")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")


class PublicConsents(BaseModel):
    terms: Optional[PublicConsent] = Field(alias="terms")
    privacy: Optional[PublicConsent] = Field(alias="privacy")
    marketing: Optional[PublicConsent] = Field(alias="marketing")


class PublicCorrectedPayment(BaseModel):
    refund_id: uuid.UUID = Field(alias="refund_id")
    payment_id: uuid.UUID = Field(alias="payment_id")
    booking_id: uuid.UUID = Field(alias="booking_id")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "expired",
        "cancelled",
        "no_show",
    ] = Field(alias="status")
    method: Literal["cash", "card_terminal", "transfer", "bizum"] = Field(alias="method")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    paid_cents: int = Field(alias="paid_cents")
    refunded_cents: int = Field(alias="refunded_cents")
    open_cents: int = Field(alias="open_cents")


class PublicCouponOffer(BaseModel):
    code: str = Field(alias="code")
    kind: Literal["percent", "fixed"] = Field(alias="kind")
    value: int = Field(alias="value")
    minimum_cents: int = Field(alias="minimum_cents")
    valid_until: Optional[datetime.date] = Field(alias="valid_until")
    total_cents: Optional[int] = Field(alias="total_cents")
    discount_cents: Optional[int] = Field(alias="discount_cents")


class PublicCouponUse(BaseModel):
    coupon_id: uuid.UUID = Field(alias="coupon_id")
    code: Optional[str] = Field(alias="code")
    bookings: int = Field(alias="bookings")
    discount_cents: int = Field(alias="discount_cents")


class PublicCreatedApiKey(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    prefix: str = Field(alias="prefix")
    secret: str = Field(alias="secret")
    expires_at: datetime.datetime = Field(alias="expires_at")


class PublicCurrency(BaseModel):
    code: str = Field(alias="code")
    digits: int = Field(alias="digits")
    step: int = Field(alias="step")
    least_cents: Optional[int] = Field(alias="least_cents")


class PublicCustomer(BaseModel):
    id: uuid.UUID = Field(alias="id")
    email: Optional[str] = Field(alias="email")
    full_name: Optional[str] = Field(alias="full_name")
    phone: Optional[str] = Field(alias="phone")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    staff_note: Optional[str] = Field(alias="staff_note")
    erased_at: Optional[datetime.datetime] = Field(alias="erased_at")
    created_at: datetime.datetime = Field(alias="created_at")
    updated_at: datetime.datetime = Field(alias="updated_at")
    tags: Optional[List[str]] = Field(alias="tags")


class PublicCustomerHistory(BaseModel):
    customer: PublicCustomer = Field(alias="customer")
    consents: PublicConsents = Field(alias="consents")
    totals: PublicCustomerTotals = Field(alias="totals")
    bookings: List[PublicCustomerVisit] = Field(alias="bookings")


class PublicCustomerTotals(BaseModel):
    bookings: int = Field(alias="bookings")
    visits: int = Field(alias="visits")
    no_shows: int = Field(alias="no_shows")
    cancelled: int = Field(alias="cancelled")
    upcoming: int = Field(alias="upcoming")
    last_visit_at: Optional[datetime.datetime] = Field(alias="last_visit_at")
    currency: str = Field(alias="currency")
    paid_cents: Optional[int] = Field(alias="paid_cents")
    refunded_cents: Optional[int] = Field(alias="refunded_cents")


class PublicCustomerVisit(BaseModel):
    id: uuid.UUID = Field(alias="id")
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    starts_at: datetime.datetime = Field(alias="starts_at")
    room_id: uuid.UUID = Field(alias="room_id")
    room_name: str = Field(alias="room_name")
    party_size: int = Field(alias="party_size")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    paid_cents: Optional[int] = Field(alias="paid_cents")
    refunded_cents: Optional[int] = Field(alias="refunded_cents")
    staff_note: str = Field(alias="staff_note")


class PublicDependentRows(BaseModel):
    table_name: str = Field(alias="table_name")
    rows: int = Field(alias="rows")
    on_delete: Literal["refused", "deleted", "kept"] = Field(alias="on_delete")


class PublicDependents(BaseModel):
    bookings_to_come: int = Field(alias="bookings_to_come")
    first_starts_at: Optional[datetime.datetime] = Field(alias="first_starts_at")
    last_starts_at: Optional[datetime.datetime] = Field(alias="last_starts_at")
    can_be_deleted: bool = Field(alias="can_be_deleted")
    dependents: List[PublicDependentRows] = Field(alias="dependents")


class PublicDeskBooking(BaseModel):
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "expired",
        "cancelled",
        "no_show",
    ] = Field(alias="status")
    hold_expires_at: Optional[datetime.datetime] = Field(alias="hold_expires_at")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    timezone: str = Field(alias="timezone")
    room_id: uuid.UUID = Field(alias="room_id")
    room_name: str = Field(alias="room_name")
    party_size: int = Field(alias="party_size")
    seats: int = Field(alias="seats")
    exclusive: bool = Field(alias="exclusive")
    extras: List[PublicBookedExtra] = Field(alias="extras")
    fields: Optional[JsonValue] = Field(alias="fields")
    customer_note: Optional[str] = Field(alias="customer_note")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    id: uuid.UUID = Field(alias="id")
    paid_cents: Optional[int] = Field(alias="paid_cents")
    refunded_cents: Optional[int] = Field(alias="refunded_cents")
    open_cents: Optional[int] = Field(alias="open_cents")
    terms: PublicCancellationTerms = Field(alias="terms")
    manage_token: Optional[str] = Field(alias="manage_token")
    undo: Optional[PublicUndoneRefunds] = Field(alias="undo")


class PublicDeskOrder(BaseModel):
    id: uuid.UUID = Field(alias="id")
    reference: str = Field(alias="reference")
    order_token: Optional[str] = Field(alias="order_token")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    paid_cents: Optional[int] = Field(alias="paid_cents")
    refunded_cents: Optional[int] = Field(alias="refunded_cents")
    open_cents: Optional[int] = Field(alias="open_cents")
    bookings: List[PublicDeskBooking] = Field(alias="bookings")


class PublicDnsRecord(BaseModel):
    type: str = Field(alias="type")
    name: str = Field(alias="name")
    value: str = Field(alias="value")
    priority: Optional[int] = Field(alias="priority")
    status: str = Field(alias="status")


class PublicFeedSession(BaseModel):
    uid: uuid.UUID = Field(alias="uid")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    room_name: str = Field(alias="room_name")
    location: str = Field(alias="location")
    status: Literal["held", "confirmed", "cancelled", "block"] = Field(alias="status")
    party_size: Optional[int] = Field(alias="party_size")
    booking_reference: Optional[str] = Field(alias="booking_reference")
    updated_at: datetime.datetime = Field(alias="updated_at")
    sequence: int = Field(alias="sequence")


class PublicFieldChoice(BaseModel):
    value: str = Field(alias="value")
    label: JsonValue = Field(alias="label")


class PublicFoundBooking(BaseModel):
    id: uuid.UUID = Field(alias="id")
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    starts_at: datetime.datetime = Field(alias="starts_at")
    timezone: str = Field(alias="timezone")
    room_id: uuid.UUID = Field(alias="room_id")
    room_name: str = Field(alias="room_name")
    party_size: int = Field(alias="party_size")
    customer_id: uuid.UUID = Field(alias="customer_id")
    contact_name: Optional[str] = Field(alias="contact_name")
    email: Optional[str] = Field(alias="email")
    phone: Optional[str] = Field(alias="phone")
    matched: Literal["reference", "words", "date"] = Field(alias="matched")
    mail_problem: Optional[
        Literal["bounced", "complained", "failed", "suppressed", "limited", "dead"]
    ] = Field(alias="mail_problem")
    tags: List[str] = Field(alias="tags")


class PublicGameClock(BaseModel):
    session_id: uuid.UUID = Field(alias="session_id")
    state: Literal["ready", "running", "paused", "finished"] = Field(alias="state")
    server_time: datetime.datetime = Field(alias="server_time")
    started_at: Optional[datetime.datetime] = Field(alias="started_at")
    started_by: Optional[uuid.UUID] = Field(alias="started_by")
    finished_at: Optional[datetime.datetime] = Field(alias="finished_at")
    duration_ms: int = Field(alias="duration_ms")
    elapsed_ms: int = Field(alias="elapsed_ms")
    remaining_ms: int = Field(alias="remaining_ms")
    paused_ms: int = Field(alias="paused_ms")
    pauses: int = Field(alias="pauses")
    hints: int = Field(alias="hints")
    outcome: Optional[str] = Field(alias="outcome")
    results: List[PublicGameResults] = Field(alias="results")
    changed: bool = Field(alias="changed")


class PublicGameSums(BaseModel):
    results: int = Field(alias="results")
    escaped: int = Field(alias="escaped")
    failed: int = Field(alias="failed")
    aborted: int = Field(alias="aborted")
    escaped_bp: Optional[int] = Field(alias="escaped_bp")
    average_escape_seconds: Optional[int] = Field(alias="average_escape_seconds")
    median_escape_seconds: Optional[int] = Field(alias="median_escape_seconds")
    hints: int = Field(alias="hints")
    games: int = Field(alias="games")
    staff_minutes: int = Field(alias="staff_minutes")
    staff_minutes_per_game: Optional[int] = Field(alias="staff_minutes_per_game")


class PublicGamesReport(BaseModel):
    from_date: datetime.date = Field(alias="from_date")
    to_date: datetime.date = Field(alias="to_date")
    previous_from_date: datetime.date = Field(alias="previous_from_date")
    previous_to_date: datetime.date = Field(alias="previous_to_date")
    total: PublicGameSums = Field(alias="total")
    previous: PublicGameSums = Field(alias="previous")
    rooms: List[PublicRoomGames] = Field(alias="rooms")
    locations: List[PublicLocationGames] = Field(alias="locations")


class PublicHeldBooking(BaseModel):
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "expired",
        "cancelled",
        "no_show",
    ] = Field(alias="status")
    hold_expires_at: Optional[datetime.datetime] = Field(alias="hold_expires_at")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    timezone: str = Field(alias="timezone")
    room_id: uuid.UUID = Field(alias="room_id")
    room_name: str = Field(alias="room_name")
    party_size: int = Field(alias="party_size")
    seats: int = Field(alias="seats")
    exclusive: bool = Field(alias="exclusive")
    extras: List[PublicBookedExtra] = Field(alias="extras")
    fields: JsonValue = Field(alias="fields")
    customer_note: str = Field(alias="customer_note")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    confirm_by_email: bool = Field(alias="confirm_by_email")
    manage_token: str = Field(alias="manage_token")
    payable_cents: int = Field(alias="payable_cents")
    rest_payable_until: Optional[datetime.datetime] = Field(alias="rest_payable_until")


class PublicHeldOrder(BaseModel):
    reference: str = Field(alias="reference")
    order_token: str = Field(alias="order_token")
    hold_expires_at: Optional[datetime.datetime] = Field(alias="hold_expires_at")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    payable_cents: int = Field(alias="payable_cents")
    bookings: List[PublicHeldBooking] = Field(alias="bookings")


class PublicIncident(BaseModel):
    incident_id: uuid.UUID = Field(alias="incident_id")
    room_id: uuid.UUID = Field(alias="room_id")
    status: Literal["open", "in_repair", "solved"] = Field(alias="status")
    block_id: Optional[uuid.UUID] = Field(alias="block_id")
    booked_sessions: List[uuid.UUID] = Field(alias="booked_sessions")


class PublicInvitation(BaseModel):
    id: uuid.UUID = Field(alias="id")
    email: str = Field(alias="email")
    role_id: uuid.UUID = Field(alias="role_id")
    expires_at: datetime.datetime = Field(alias="expires_at")


class PublicIssuedToken(BaseModel):
    id: uuid.UUID = Field(alias="id")
    token: str = Field(alias="token")


class PublicJoinCodeState(BaseModel):
    enabled: bool = Field(alias="enabled")
    code: Optional[str] = Field(alias="code")


class PublicJoinedOrganization(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    slug: str = Field(alias="slug")
    status: Literal["active", "suspended", "closed"] = Field(alias="status")
    timezone: str = Field(alias="timezone")
    currency: str = Field(alias="currency")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    role: PublicRoleName = Field(alias="role")
    permissions: List[str] = Field(alias="permissions")


class PublicLateArrival(BaseModel):
    minutes: int = Field(alias="minutes")
    outcome: Literal["shifted", "shorter_offered", "shortened", "noted"] = Field(alias="outcome")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    offered_starts_at: Optional[datetime.datetime] = Field(alias="offered_starts_at")
    offered_ends_at: Optional[datetime.datetime] = Field(alias="offered_ends_at")


class PublicLeadBookings(BaseModel):
    from_days: int = Field(alias="from_days")
    to_days: Optional[int] = Field(alias="to_days")
    bookings: int = Field(alias="bookings")


class PublicLeaderboard(BaseModel):
    entries: List[PublicLeaderboardEntry] = Field(alias="entries")


class PublicLeaderboardEntry(BaseModel):
    rank: int = Field(alias="rank")
    room_id: uuid.UUID = Field(alias="room_id")
    room_name: str = Field(alias="room_name")
    team_name: Optional[str] = Field(alias="team_name")
    escape_seconds: int = Field(alias="escape_seconds")
    percentile_bp: int = Field(alias="percentile_bp")
    hints: int = Field(alias="hints")
    party_size: int = Field(alias="party_size")
    played_on: datetime.date = Field(alias="played_on")


class PublicLedgerBalance(BaseModel):
    account: Literal[
        "stripe_balance",
        "stripe_fees",
        "platform_fees",
        "cash_drawer",
        "card_terminal",
        "bank",
        "customers",
        "charges",
        "sales",
        "tax",
        "voucher_liability",
        "vouchers_issued",
        "vouchers_expired",
        "disputes",
        "dispute_losses",
        "cash_differences",
    ] = Field(alias="account")
    currency: str = Field(alias="currency")
    opening_cents: int = Field(alias="opening_cents")
    debit_cents: int = Field(alias="debit_cents")
    credit_cents: int = Field(alias="credit_cents")
    balance_cents: int = Field(alias="balance_cents")


class PublicLeftOpen(BaseModel):
    kind: Literal["api_key", "calendar_feed", "waiver_kiosk", "webhook_endpoint"] = Field(
        alias="kind"
    )
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    made_by: Optional[uuid.UUID] = Field(alias="made_by")
    created_at: datetime.datetime = Field(alias="created_at")
    last_used_at: Optional[datetime.datetime] = Field(alias="last_used_at")
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")


class PublicLiftedBlock(BaseModel):
    session_id: Optional[uuid.UUID] = Field(alias="session_id")
    block_id: uuid.UUID = Field(alias="block_id")
    sessions: int = Field(alias="sessions")
    status: Literal["cancelled"] = Field(alias="status")


class PublicLocationBookings(BaseModel):
    location_id: uuid.UUID = Field(alias="location_id")
    name: str = Field(alias="name")
    sums: PublicBookingSums = Field(alias="sums")
    previous: PublicBookingSums = Field(alias="previous")


class PublicLocationGames(BaseModel):
    location_id: uuid.UUID = Field(alias="location_id")
    name: str = Field(alias="name")
    sums: PublicGameSums = Field(alias="sums")
    previous: PublicGameSums = Field(alias="previous")


class PublicLocationRevenue(BaseModel):
    location_id: uuid.UUID = Field(alias="location_id")
    name: str = Field(alias="name")
    sums: PublicRevenueSums = Field(alias="sums")
    previous: PublicRevenueSums = Field(alias="previous")


class PublicLoggedChange(BaseModel):
    id: int = Field(alias="id")
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    actor_kind: Literal["user", "api_key", "support", "service", "customer", "system"] = Field(
        alias="actor_kind"
    )
    actor_id: Optional[uuid.UUID] = Field(alias="actor_id")
    action: Literal["insert", "update", "delete"] = Field(alias="action")
    table_name: str = Field(alias="table_name")


class PublicMailPreview(BaseModel):
    to_name: str = Field(alias="to_name")
    data: JsonValue = Field(alias="data")


class PublicMarkedNotifications(BaseModel):
    marked: int = Field(alias="marked")


class PublicMember(BaseModel):
    user_id: uuid.UUID = Field(alias="user_id")
    email: Optional[str] = Field(alias="email")
    full_name: Optional[str] = Field(alias="full_name")
    status: Literal["active", "suspended"] = Field(alias="status")
    role: PublicRoleName = Field(alias="role")


class PublicMethodRevenue(BaseModel):
    method: Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"] = Field(
        alias="method"
    )
    received_cents: int = Field(alias="received_cents")
    refunded_cents: int = Field(alias="refunded_cents")
    net_cents: int = Field(alias="net_cents")


class PublicMovedBookings(BaseModel):
    moves: List[PublicPlannedMove] = Field(alias="moves")
    conflicts: int = Field(alias="conflicts")


class PublicMyBooking(BaseModel):
    id: uuid.UUID = Field(alias="id")
    organization: PublicVenue = Field(alias="organization")
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    hold_expires_at: Optional[datetime.datetime] = Field(alias="hold_expires_at")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    timezone: str = Field(alias="timezone")
    room_id: uuid.UUID = Field(alias="room_id")
    room_name: str = Field(alias="room_name")
    party_size: int = Field(alias="party_size")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    due_now_cents: int = Field(alias="due_now_cents")


class PublicNoticeAddress(BaseModel):
    id: uuid.UUID = Field(alias="id")
    email: str = Field(alias="email")
    confirmed_at: Optional[datetime.datetime] = Field(alias="confirmed_at")


class PublicNotification(BaseModel):
    id: uuid.UUID = Field(alias="id")
    type: Literal[
        "booking_new",
        "booking_changed",
        "booking_cancelled",
        "booking_paid_late",
        "payment_disputed",
        "mail_problem",
        "last_minute",
        "session_assigned",
        "session_released",
        "session_changed",
        "day_board",
    ] = Field(alias="type")
    title: str = Field(alias="title")
    body: str = Field(alias="body")
    link: str = Field(alias="link")
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    read_at: Optional[datetime.datetime] = Field(alias="read_at")
    created_at: datetime.datetime = Field(alias="created_at")


class PublicOccupancyHour(BaseModel):
    weekday: int = Field(alias="weekday")
    hour: int = Field(alias="hour")
    sums: PublicOccupancySums = Field(alias="sums")


class PublicOccupancyReport(BaseModel):
    from_date: datetime.date = Field(alias="from_date")
    to_date: datetime.date = Field(alias="to_date")
    previous_from_date: datetime.date = Field(alias="previous_from_date")
    previous_to_date: datetime.date = Field(alias="previous_to_date")
    total: PublicOccupancySums = Field(alias="total")
    previous: PublicOccupancySums = Field(alias="previous")
    rooms: List[PublicRoomOccupancy] = Field(alias="rooms")
    hours: List[PublicOccupancyHour] = Field(alias="hours")


class PublicOccupancySums(BaseModel):
    offered_games: int = Field(alias="offered_games")
    sold_games: int = Field(alias="sold_games")
    offered_minutes: int = Field(alias="offered_minutes")
    sold_minutes: int = Field(alias="sold_minutes")
    occupancy_bp: Optional[int] = Field(alias="occupancy_bp")
    outside_games: int = Field(alias="outside_games")
    outside_minutes: int = Field(alias="outside_minutes")
    waitlisted: int = Field(alias="waitlisted")
    lapsed_holds: int = Field(alias="lapsed_holds")


class PublicOrderChangeQuote(BaseModel):
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    difference_cents: int = Field(alias="difference_cents")
    refund_cents: int = Field(alias="refund_cents")
    open_cents: int = Field(alias="open_cents")
    bookings: List[PublicChangeQuote] = Field(alias="bookings")


class PublicOrderQuote(BaseModel):
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    tax_cents: int = Field(alias="tax_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    bookings: List[PublicQuote] = Field(alias="bookings")


class PublicOrganization(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    slug: str = Field(alias="slug")
    status: Literal["active", "suspended", "closed"] = Field(alias="status")
    timezone: str = Field(alias="timezone")
    currency: str = Field(alias="currency")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")


class PublicOrganizationsByStatus(BaseModel):
    active: int = Field(alias="active")
    suspended: int = Field(alias="suspended")
    closed: int = Field(alias="closed")


class PublicPartyBookings(BaseModel):
    party_size: int = Field(alias="party_size")
    bookings: int = Field(alias="bookings")


class PublicPartyResult(BaseModel):
    outcome: Literal["escaped", "failed", "aborted"] = Field(alias="outcome")
    escape_seconds: Optional[int] = Field(alias="escape_seconds")
    duration_seconds: int = Field(alias="duration_seconds")
    hints: int = Field(alias="hints")
    percentile_bp: Optional[int] = Field(alias="percentile_bp")
    team_name: Optional[str] = Field(alias="team_name")
    name_status: Literal["pending", "approved", "rejected"] = Field(alias="name_status")
    is_public: bool = Field(alias="is_public")


class PublicPaymentEntry(BaseModel):
    id: uuid.UUID = Field(alias="id")
    booking_id: uuid.UUID = Field(alias="booking_id")
    reference: str = Field(alias="reference")
    contact_name: Optional[str] = Field(alias="contact_name")
    method: Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"] = Field(
        alias="method"
    )
    status: Literal[
        "pending", "succeeded", "failed", "partly_refunded", "refunded", "corrected"
    ] = Field(alias="status")
    amount_cents: int = Field(alias="amount_cents")
    refunded_cents: int = Field(alias="refunded_cents")
    currency: str = Field(alias="currency")
    occurred_at: datetime.datetime = Field(alias="occurred_at")


class PublicPaymentLink(BaseModel):
    reference: str = Field(alias="reference")
    pay_token: str = Field(alias="pay_token")
    calendar: Optional[str] = Field(alias="calendar")
    site_url: Optional[str] = Field(alias="site_url")
    currency: str = Field(alias="currency")
    payable_cents: int = Field(alias="payable_cents")
    rest_payable_until: Optional[datetime.datetime] = Field(alias="rest_payable_until")


class PublicPaymentShare(BaseModel):
    share_id: uuid.UUID = Field(alias="share_id")
    status: Literal["open", "paid", "late", "over", "returned"] = Field(alias="status")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    returned_cents: int = Field(alias="returned_cents")
    expires_at: datetime.datetime = Field(alias="expires_at")
    organizer: str = Field(alias="organizer")
    room: str = Field(alias="room")
    venue: str = Field(alias="venue")
    starts_at: datetime.datetime = Field(alias="starts_at")
    timezone: str = Field(alias="timezone")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    calendar: Optional[str] = Field(alias="calendar")
    site_url: Optional[str] = Field(alias="site_url")
    paying: bool = Field(alias="paying")


class PublicPendingRefund(BaseModel):
    refund_request_id: uuid.UUID = Field(alias="refund_request_id")
    booking_id: uuid.UUID = Field(alias="booking_id")
    reference: str = Field(alias="reference")
    contact_name: Optional[str] = Field(alias="contact_name")
    method: Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"] = Field(
        alias="method"
    )
    by_hand: bool = Field(alias="by_hand")
    status: Literal["pending", "failed"] = Field(alias="status")
    stuck: bool = Field(alias="stuck")
    problem: Optional[str] = Field(alias="problem")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    reason: Literal[
        "cancelled",
        "changed",
        "no_show",
        "overpaid",
        "paid_late",
        "hold_expired",
        "staff",
        "provider",
    ] = Field(alias="reason")
    note: Optional[str] = Field(alias="note")
    requested_at: datetime.datetime = Field(alias="requested_at")
    disputed: bool = Field(alias="disputed")


class PublicPerson(BaseModel):
    id: uuid.UUID = Field(alias="id")
    email: str = Field(alias="email")
    full_name: str = Field(alias="full_name")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")


class PublicPlacedVoucherOrder(BaseModel):
    order_id: uuid.UUID = Field(alias="order_id")
    order_token: str = Field(alias="order_token")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")


class PublicPlanNumbers(BaseModel):
    plan_key: Optional[str] = Field(alias="plan_key")
    status: Literal[
        "trialing",
        "active",
        "past_due",
        "unpaid",
        "canceled",
        "incomplete",
        "incomplete_expired",
        "paused",
    ] = Field(alias="status")
    billing_interval: Literal["month", "year"] = Field(alias="billing_interval")
    currency: str = Field(alias="currency")
    organizations: int = Field(alias="organizations")
    month_cents: int = Field(alias="month_cents")


class PublicPlanUse(BaseModel):
    limit: Literal["rooms", "locations", "calendars", "members", "bookings_month"] = Field(
        alias="limit"
    )
    maximum: Optional[int] = Field(alias="maximum")
    used: int = Field(alias="used")


class PublicPlannedMove(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    contact_name: Optional[str] = Field(alias="contact_name")
    party_size: int = Field(alias="party_size")
    from_starts_at: datetime.datetime = Field(alias="from_starts_at")
    to_room_id: uuid.UUID = Field(alias="to_room_id")
    to_starts_at: datetime.datetime = Field(alias="to_starts_at")
    to_ends_at: Optional[datetime.datetime] = Field(alias="to_ends_at")
    within_hours: bool = Field(alias="within_hours")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    new_total_cents: Optional[int] = Field(alias="new_total_cents")
    refund_cents: Optional[int] = Field(alias="refund_cents")
    conflict: Optional[str] = Field(alias="conflict")


class PublicPlatformNumbers(BaseModel):
    organizations: PublicOrganizationsByStatus = Field(alias="organizations")
    users: int = Field(alias="users")
    bookings_30_days: PublicBookingsByStatus = Field(alias="bookings_30_days")
    open_support_entries: int = Field(alias="open_support_entries")
    subscriptions: PublicPlatformSubscriptions = Field(alias="subscriptions")


class PublicPlatformOrganization(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    slug: str = Field(alias="slug")
    status: Literal["active", "suspended", "closed"] = Field(alias="status")
    created_at: datetime.datetime = Field(alias="created_at")
    members: int = Field(alias="members")
    bookings_30_days: int = Field(alias="bookings_30_days")


class PublicPlatformSubscriptions(BaseModel):
    plans: List[PublicPlanNumbers] = Field(alias="plans")
    granted: int = Field(alias="granted")
    trials_ending_7_days: int = Field(alias="trials_ending_7_days")
    overdue: int = Field(alias="overdue")
    doubled: int = Field(alias="doubled")


class PublicPriceLine(BaseModel):
    kind: Literal["base", "extra", "discount", "fee"] = Field(alias="kind")
    description: str = Field(alias="description")
    quantity: int = Field(alias="quantity")
    unit_cents: int = Field(alias="unit_cents")
    total_cents: int = Field(alias="total_cents")
    tax_rate_bp: int = Field(alias="tax_rate_bp")
    tax_cents: int = Field(alias="tax_cents")
    extra_id: Optional[uuid.UUID] = Field(alias="extra_id")


class PublicPromisedRefund(BaseModel):
    refund_request_id: uuid.UUID = Field(alias="refund_request_id")
    payment_id: uuid.UUID = Field(alias="payment_id")
    method: Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"] = Field(
        alias="method"
    )
    amount_cents: int = Field(alias="amount_cents")
    status: Literal["pending", "succeeded", "failed", "withdrawn"] = Field(alias="status")
    disputed: bool = Field(alias="disputed")


class PublicPublishedWaiver(BaseModel):
    id: uuid.UUID = Field(alias="id")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    version: int = Field(alias="version")
    published_at: datetime.datetime = Field(alias="published_at")


class PublicQuote(BaseModel):
    room_id: uuid.UUID = Field(alias="room_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    party_size: int = Field(alias="party_size")
    currency: str = Field(alias="currency")
    lines: List[PublicPriceLine] = Field(alias="lines")
    total_cents: int = Field(alias="total_cents")
    tax_cents: int = Field(alias="tax_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    voucher_cents: int = Field(alias="voucher_cents")
    terms: PublicCancellationTerms = Field(alias="terms")


class PublicRecentChanges(BaseModel):
    until: datetime.datetime = Field(alias="until")
    is_whole: bool = Field(alias="is_whole")
    changes: List[PublicChangedRow] = Field(alias="changes")


class PublicRecordedPayment(BaseModel):
    payment_id: uuid.UUID = Field(alias="payment_id")
    booking_id: uuid.UUID = Field(alias="booking_id")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "expired",
        "cancelled",
        "no_show",
    ] = Field(alias="status")
    method: Literal["cash", "card_terminal", "transfer", "bizum"] = Field(alias="method")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    paid_cents: int = Field(alias="paid_cents")
    refunded_cents: int = Field(alias="refunded_cents")
    open_cents: int = Field(alias="open_cents")


class PublicRecordedRefund(BaseModel):
    refund_id: uuid.UUID = Field(alias="refund_id")
    refund_request_id: uuid.UUID = Field(alias="refund_request_id")
    booking_id: uuid.UUID = Field(alias="booking_id")
    method: Literal["cash", "card_terminal", "transfer", "bizum"] = Field(alias="method")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    paid_cents: int = Field(alias="paid_cents")
    refunded_cents: int = Field(alias="refunded_cents")


class PublicReleasedAssignment(BaseModel):
    session_id: uuid.UUID = Field(alias="session_id")
    user_id: uuid.UUID = Field(alias="user_id")


class PublicRemovedWaitlistEntry(BaseModel):
    id: uuid.UUID = Field(alias="id")
    status: Literal["booked", "lapsed", "declined", "left", "removed", "expired"] = Field(
        alias="status"
    )


class PublicReportAnswer(BaseModel):
    rows: List[JsonValue] = Field(alias="rows")
    is_cut: bool = Field(alias="is_cut")


class PublicResentEmail(BaseModel):
    id: uuid.UUID = Field(alias="id")
    template: Literal[
        "booking_confirmed",
        "booking_pending",
        "booking_cancelled",
        "payment_request",
        "waiver_request",
        "voucher_issued",
        "voucher_bought",
    ] = Field(alias="template")


class PublicRevenuePoint(BaseModel):
    from_date: datetime.date = Field(alias="from_date")
    to_date: datetime.date = Field(alias="to_date")
    sums: PublicRevenueSums = Field(alias="sums")


class PublicRevenueReport(BaseModel):
    currency: str = Field(alias="currency")
    from_date: datetime.date = Field(alias="from_date")
    to_date: datetime.date = Field(alias="to_date")
    previous_from_date: datetime.date = Field(alias="previous_from_date")
    previous_to_date: datetime.date = Field(alias="previous_to_date")
    granularity: Literal["day", "week", "month", "quarter"] = Field(alias="granularity")
    total: PublicRevenueSums = Field(alias="total")
    previous: PublicRevenueSums = Field(alias="previous")
    change: PublicRevenueSums = Field(alias="change")
    methods: List[PublicMethodRevenue] = Field(alias="methods")
    rooms: List[PublicRoomRevenue] = Field(alias="rooms")
    locations: List[PublicLocationRevenue] = Field(alias="locations")
    channels: List[PublicChannelRevenue] = Field(alias="channels")
    taxes: List[PublicTaxRevenue] = Field(alias="taxes")
    coupons: List[PublicCouponUse] = Field(alias="coupons")
    vouchers: PublicVoucherUse = Field(alias="vouchers")
    series: List[PublicRevenuePoint] = Field(alias="series")


class PublicRevenueSums(BaseModel):
    received_cents: int = Field(alias="received_cents")
    refunded_cents: int = Field(alias="refunded_cents")
    net_cents: int = Field(alias="net_cents")
    sales_cents: int = Field(alias="sales_cents")
    tax_cents: int = Field(alias="tax_cents")
    expected_cents: int = Field(alias="expected_cents")
    outstanding_cents: int = Field(alias="outstanding_cents")


class PublicRevokedToken(BaseModel):
    id: uuid.UUID = Field(alias="id")
    revoked_at: datetime.datetime = Field(alias="revoked_at")


class PublicRole(BaseModel):
    id: uuid.UUID = Field(alias="id")
    key: str = Field(alias="key")
    name: str = Field(alias="name")
    description: str = Field(alias="description")
    is_system: bool = Field(alias="is_system")
    permissions: List[str] = Field(alias="permissions")


class PublicRoleName(BaseModel):
    id: uuid.UUID = Field(alias="id")
    key: str = Field(alias="key")
    name: str = Field(alias="name")


class PublicRoomBlock(BaseModel):
    block_id: uuid.UUID = Field(alias="block_id")
    session_id: Optional[uuid.UUID] = Field(alias="session_id")
    sessions: int = Field(alias="sessions")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    location_id: Optional[uuid.UUID] = Field(alias="location_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    repeats: Literal["none", "daily", "weekly"] = Field(alias="repeats")
    until: Optional[datetime.date] = Field(alias="until")
    reason: str = Field(alias="reason")


class PublicRoomBookings(BaseModel):
    room_id: uuid.UUID = Field(alias="room_id")
    name: str = Field(alias="name")
    location_id: uuid.UUID = Field(alias="location_id")
    sums: PublicBookingSums = Field(alias="sums")
    previous: PublicBookingSums = Field(alias="previous")


class PublicRoomDeposit(BaseModel):
    kind: Literal["full", "none", "percent", "fixed", "person"] = Field(alias="kind")
    value: int = Field(alias="value")


class PublicRoomExtra(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: JsonValue = Field(alias="name")
    description: JsonValue = Field(alias="description")
    price_cents: int = Field(alias="price_cents")
    per: Literal["booking", "person"] = Field(alias="per")
    maximum_quantity: int = Field(alias="maximum_quantity")


class PublicRoomGames(BaseModel):
    room_id: uuid.UUID = Field(alias="room_id")
    name: str = Field(alias="name")
    location_id: uuid.UUID = Field(alias="location_id")
    sums: PublicGameSums = Field(alias="sums")
    previous: PublicGameSums = Field(alias="previous")


class PublicRoomImage(BaseModel):
    path: str = Field(alias="path")
    alt: JsonValue = Field(alias="alt")


class PublicRoomOccupancy(BaseModel):
    room_id: uuid.UUID = Field(alias="room_id")
    name: str = Field(alias="name")
    location_id: uuid.UUID = Field(alias="location_id")
    sums: PublicOccupancySums = Field(alias="sums")


class PublicRoomRevenue(BaseModel):
    room_id: uuid.UUID = Field(alias="room_id")
    name: str = Field(alias="name")
    location_id: uuid.UUID = Field(alias="location_id")
    sums: PublicRevenueSums = Field(alias="sums")
    previous: PublicRevenueSums = Field(alias="previous")


class PublicScannedBooking(BaseModel):
    booking_id: uuid.UUID = Field(alias="booking_id")
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    room_name: str = Field(alias="room_name")
    starts_at: datetime.datetime = Field(alias="starts_at")
    timezone: str = Field(alias="timezone")
    party_size: int = Field(alias="party_size")
    contact_name: Optional[str] = Field(alias="contact_name")
    currency: str = Field(alias="currency")
    open_cents: Optional[int] = Field(alias="open_cents")
    unsigned_waivers: int = Field(alias="unsigned_waivers")


class PublicSignedWaiver(BaseModel):
    signature_id: uuid.UUID = Field(alias="signature_id")
    signed: int = Field(alias="signed")
    needed: int = Field(alias="needed")
    version: int = Field(alias="version")


class PublicStatusBookings(BaseModel):
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    bookings: int = Field(alias="bookings")


class PublicStripeAccount(BaseModel):
    payments: Literal["own_account", "platform_account", "unavailable"] = Field(alias="payments")
    missing: Optional[Literal["account", "details", "requirements", "review", "authorization"]] = (
        Field(alias="missing")
    )
    account_id: Optional[str] = Field(alias="account_id")
    charges_enabled: bool = Field(alias="charges_enabled")
    payouts_enabled: bool = Field(alias="payouts_enabled")
    details_submitted: bool = Field(alias="details_submitted")
    requirements: List[str] = Field(alias="requirements")
    requirements_due_at: Optional[datetime.datetime] = Field(alias="requirements_due_at")
    disabled_reason: Optional[str] = Field(alias="disabled_reason")
    deauthorized_at: Optional[datetime.datetime] = Field(alias="deauthorized_at")
    as_of: Optional[datetime.datetime] = Field(alias="as_of")


class PublicSuspendedMember(BaseModel):
    user_id: uuid.UUID = Field(alias="user_id")
    email: Optional[str] = Field(alias="email")
    full_name: Optional[str] = Field(alias="full_name")
    status: Literal["active", "suspended"] = Field(alias="status")
    role: PublicRoleName = Field(alias="role")
    left_open: List[PublicLeftOpen] = Field(alias="left_open")


class PublicTaxRevenue(BaseModel):
    tax_rate_bp: int = Field(alias="tax_rate_bp")
    tax_cents: int = Field(alias="tax_cents")


class PublicUnassignedSession(BaseModel):
    session_id: uuid.UUID = Field(alias="session_id")
    room_id: uuid.UUID = Field(alias="room_id")
    starts_at: datetime.datetime = Field(alias="starts_at")
    reason: Literal["nobody_skilled", "nobody_on_shift", "nobody_free", "session_busy"] = Field(
        alias="reason"
    )


class PublicUndoneRefunds(BaseModel):
    withdrawn_cents: int = Field(alias="withdrawn_cents")
    refunded_cents: int = Field(alias="refunded_cents")


class PublicUnreadNotifications(BaseModel):
    unread: int = Field(alias="unread")
    newest_at: Optional[datetime.datetime] = Field(alias="newest_at")


class PublicUserContext(BaseModel):
    user: PublicPerson = Field(alias="user")
    active_organization_id: Optional[uuid.UUID] = Field(alias="active_organization_id")
    organizations: List[PublicJoinedOrganization] = Field(alias="organizations")


class PublicVenue(BaseModel):
    name: str = Field(alias="name")
    slug: str = Field(alias="slug")


class PublicVenueProfile(BaseModel):
    logo_path: Optional[str] = Field(alias="logo_path")
    website: Optional[str] = Field(alias="website")
    contact_email: Optional[str] = Field(alias="contact_email")
    phone: Optional[str] = Field(alias="phone")
    descriptions: JsonValue = Field(alias="descriptions")
    business_type: Optional[
        Literal[
            "escape_room",
            "outdoor_game",
            "virtual_reality",
            "laser_tag",
            "board_games",
            "activity_center",
            "other",
        ]
    ] = Field(alias="business_type")


class PublicVoucherEmail(BaseModel):
    id: uuid.UUID = Field(alias="id")
    template: Literal["voucher_issued", "voucher_bought"] = Field(alias="template")
    recipient: Optional[str] = Field(alias="recipient")
    status: Literal[
        "waiting",
        "held",
        "void",
        "sent",
        "delivered",
        "not_needed",
        "dead",
        "bounced",
        "complained",
        "failed",
        "suppressed",
        "limited",
    ] = Field(alias="status")
    reason: Optional[str] = Field(alias="reason")
    created_at: datetime.datetime = Field(alias="created_at")
    sent_at: Optional[datetime.datetime] = Field(alias="sent_at")
    due_at: Optional[datetime.datetime] = Field(alias="due_at")


class PublicVoucherOffer(BaseModel):
    currency: str = Field(alias="currency")
    minimum_cents: Optional[int] = Field(alias="minimum_cents")
    maximum_cents: Optional[int] = Field(alias="maximum_cents")
    products: List[PublicVoucherProduct] = Field(alias="products")
    validity_months: Optional[int] = Field(alias="validity_months")
    refund_days: int = Field(alias="refund_days")
    timezone: str = Field(alias="timezone")
    last_delivery_on: datetime.date = Field(alias="last_delivery_on")


class PublicVoucherOrder(BaseModel):
    order_id: uuid.UUID = Field(alias="order_id")
    status: Literal["open", "over", "paid", "withdrawn"] = Field(alias="status")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    product: Optional[str] = Field(alias="product")
    recipient_name: str = Field(alias="recipient_name")
    message: str = Field(alias="message")
    deliver_on: Optional[datetime.date] = Field(alias="deliver_on")
    code: Optional[str] = Field(alias="code")
    valid_until: Optional[datetime.date] = Field(alias="valid_until")


class PublicVoucherProduct(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    description: Optional[str] = Field(alias="description")
    amount_cents: int = Field(alias="amount_cents")


class PublicVoucherUse(BaseModel):
    redemptions: int = Field(alias="redemptions")
    redeemed_cents: int = Field(alias="redeemed_cents")
    returned_cents: int = Field(alias="returned_cents")
    issued_cents: Optional[int] = Field(alias="issued_cents")
    expired_cents: Optional[int] = Field(alias="expired_cents")


class PublicWaitlistEntry(BaseModel):
    status: Literal[
        "waiting", "offered", "booked", "lapsed", "declined", "left", "removed", "expired"
    ] = Field(alias="status")
    calendar_slug: str = Field(alias="calendar_slug")
    organization: PublicVenue = Field(alias="organization")
    room_id: Optional[uuid.UUID] = Field(alias="room_id")
    room_name: Optional[str] = Field(alias="room_name")
    from_date: datetime.date = Field(alias="from_date")
    to_date: datetime.date = Field(alias="to_date")
    starts_at: Optional[datetime.datetime] = Field(alias="starts_at")
    party_size: int = Field(alias="party_size")
    offer: Optional[PublicHeldBooking] = Field(alias="offer")
    waitlist_token: Optional[str] = Field(alias="waitlist_token")


class PublicWaiver(BaseModel):
    organization: PublicVenue = Field(alias="organization")
    room_name: str = Field(alias="room_name")
    starts_at: datetime.datetime = Field(alias="starts_at")
    timezone: str = Field(alias="timezone")
    policy: Literal["optional", "required"] = Field(alias="policy")
    signed: int = Field(alias="signed")
    needed: int = Field(alias="needed")
    open: bool = Field(alias="open")
    version: int = Field(alias="version")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    locales: List[str] = Field(alias="locales")
    text: str = Field(alias="text")


class PublicWaiverKiosk(BaseModel):
    organization: PublicVenue = Field(alias="organization")
    location_name: str = Field(alias="location_name")
    timezone: str = Field(alias="timezone")
    parties: List[PublicWaiverParty] = Field(alias="parties")


class PublicWaiverMinor(BaseModel):
    full_name: str = Field(alias="full_name")
    birth_year: int = Field(alias="birth_year")


class PublicWaiverParty(BaseModel):
    reference: str = Field(alias="reference")
    room_name: str = Field(alias="room_name")
    starts_at: datetime.datetime = Field(alias="starts_at")
    signed: int = Field(alias="signed")
    needed: int = Field(alias="needed")
    missing: int = Field(alias="missing")
    token: Optional[str] = Field(alias="token")


class PublicWaiverProgress(BaseModel):
    policy: Literal["none", "optional", "required"] = Field(alias="policy")
    signed: int = Field(alias="signed")
    needed: int = Field(alias="needed")
    missing: int = Field(alias="missing")


class PublicWaiverSignature(BaseModel):
    id: uuid.UUID = Field(alias="id")
    booking_id: uuid.UUID = Field(alias="booking_id")
    waiver_text_id: uuid.UUID = Field(alias="waiver_text_id")
    version: int = Field(alias="version")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    full_name: str = Field(alias="full_name")
    email: Optional[str] = Field(alias="email")
    plays: bool = Field(alias="plays")
    minors: List[PublicWaiverMinor] = Field(alias="minors")
    people: int = Field(alias="people")
    signed_at: datetime.datetime = Field(alias="signed_at")
    text: str = Field(alias="text")
    drawing: Optional[str] = Field(alias="drawing")


class PublicWebhookAttempt(BaseModel):
    number: int = Field(alias="number")
    attempted_at: datetime.datetime = Field(alias="attempted_at")
    outcome: Literal[
        "delivered", "refused", "redirected", "timed_out", "unreachable", "address_refused"
    ] = Field(alias="outcome")
    answer_code: Optional[int] = Field(alias="answer_code")
    duration_ms: int = Field(alias="duration_ms")


class PublicWebhookBooking(BaseModel):
    id: uuid.UUID = Field(alias="id")
    reference: str = Field(alias="reference")
    status: Literal[
        "held",
        "pending",
        "confirmed",
        "checked_in",
        "in_progress",
        "completed",
        "no_show",
        "expired",
        "cancelled",
    ] = Field(alias="status")
    source: Literal["widget", "direct", "marketplace", "api"] = Field(alias="source")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    organization_id: uuid.UUID = Field(alias="organization_id")
    customer_id: uuid.UUID = Field(alias="customer_id")
    room: PublicWebhookRoom = Field(alias="room")
    location: PublicWebhookLocation = Field(alias="location")
    calendar: Optional[PublicWebhookCalendar] = Field(alias="calendar")
    starts_at: datetime.datetime = Field(alias="starts_at")
    ends_at: datetime.datetime = Field(alias="ends_at")
    timezone: str = Field(alias="timezone")
    starts_at_local: str = Field(alias="starts_at_local")
    ends_at_local: str = Field(alias="ends_at_local")
    hold_expires_at: Optional[datetime.datetime] = Field(alias="hold_expires_at")
    party_size: int = Field(alias="party_size")
    exclusive: bool = Field(alias="exclusive")
    extras: List[PublicBookedExtra] = Field(alias="extras")
    currency: str = Field(alias="currency")
    total_cents: int = Field(alias="total_cents")
    tax_cents: int = Field(alias="tax_cents")
    due_now_cents: int = Field(alias="due_now_cents")
    paid_cents: int = Field(alias="paid_cents")
    refunded_cents: int = Field(alias="refunded_cents")
    open_cents: int = Field(alias="open_cents")
    cancel_refund: Optional[str] = Field(alias="cancel_refund")
    lines: List[PublicWebhookLine] = Field(alias="lines")
    created_at: datetime.datetime = Field(alias="created_at")
    merged_into_id: Optional[uuid.UUID] = Field(alias="merged_into_id")


class PublicWebhookCalendar(BaseModel):
    id: uuid.UUID = Field(alias="id")
    slug: str = Field(alias="slug")
    name: str = Field(alias="name")


class PublicWebhookCustomer(BaseModel):
    id: uuid.UUID = Field(alias="id")
    full_name: str = Field(alias="full_name")
    email: Optional[str] = Field(alias="email")
    phone: Optional[str] = Field(alias="phone")
    note: str = Field(alias="note")
    answers: JsonValue = Field(alias="answers")
    team_name: Optional[str] = Field(alias="team_name")


class PublicWebhookData(BaseModel):
    booking: Optional[PublicWebhookBooking] = Field(alias="booking")
    customer: Optional[PublicWebhookCustomer] = Field(alias="customer")
    change: Optional[JsonValue] = Field(alias="change")
    payment: Optional[PublicWebhookPayment] = Field(alias="payment")
    refund: Optional[PublicWebhookRefund] = Field(alias="refund")
    dispute: Optional[PublicWebhookDispute] = Field(alias="dispute")
    erasure: Optional[PublicWebhookErasure] = Field(alias="erasure")
    result: Optional[PublicWebhookResult] = Field(alias="result")


class PublicWebhookDelivery(BaseModel):
    id: uuid.UUID = Field(alias="id")
    endpoint_id: uuid.UUID = Field(alias="endpoint_id")
    event_id: uuid.UUID = Field(alias="event_id")
    event_type: str = Field(alias="event_type")
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    occurred_at: datetime.datetime = Field(alias="occurred_at")
    status: Literal["pending", "delivered", "failed"] = Field(alias="status")
    attempts: int = Field(alias="attempts")
    last_attempt_at: Optional[datetime.datetime] = Field(alias="last_attempt_at")
    last_outcome: Optional[
        Literal["delivered", "refused", "redirected", "timed_out", "unreachable", "address_refused"]
    ] = Field(alias="last_outcome")
    last_answer_code: Optional[int] = Field(alias="last_answer_code")
    last_duration_ms: Optional[int] = Field(alias="last_duration_ms")
    next_attempt_at: Optional[datetime.datetime] = Field(alias="next_attempt_at")


class PublicWebhookDeliveryDetails(BaseModel):
    delivery: PublicWebhookDelivery = Field(alias="delivery")
    attempts: List[PublicWebhookAttempt] = Field(alias="attempts")
    event: PublicWebhookEvent = Field(alias="event")


class PublicWebhookDispute(BaseModel):
    id: uuid.UUID = Field(alias="id")
    payment_id: uuid.UUID = Field(alias="payment_id")
    status: str = Field(alias="status")
    reason: str = Field(alias="reason")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    respond_by: Optional[datetime.datetime] = Field(alias="respond_by")


class PublicWebhookErasure(BaseModel):
    customer_id: uuid.UUID = Field(alias="customer_id")
    merged_customer_ids: List[uuid.UUID] = Field(alias="merged_customer_ids")
    booking_ids: List[uuid.UUID] = Field(alias="booking_ids")


class PublicWebhookEvent(BaseModel):
    id: uuid.UUID = Field(alias="id")
    type: Literal[
        "booking.held",
        "booking.pending",
        "booking.confirmed",
        "booking.changed",
        "booking.cancelled",
        "booking.expired",
        "booking.checked_in",
        "booking.started",
        "booking.completed",
        "booking.no_show",
        "booking.undone",
        "payment.received",
        "refund.paid",
        "refund.reversed",
        "dispute.opened",
        "dispute.changed",
        "customer.erased",
        "result.recorded",
        "result.changed",
        "result.withdrawn",
    ] = Field(alias="type")
    version: int = Field(alias="version")
    timestamp: datetime.datetime = Field(alias="timestamp")
    organization: PublicWebhookOrganization = Field(alias="organization")
    data: PublicWebhookData = Field(alias="data")


class PublicWebhookLine(BaseModel):
    kind: Literal["base", "extra", "discount", "fee"] = Field(alias="kind")
    description: str = Field(alias="description")
    quantity: int = Field(alias="quantity")
    unit_cents: int = Field(alias="unit_cents")
    total_cents: int = Field(alias="total_cents")
    tax_rate_bp: int = Field(alias="tax_rate_bp")
    tax_cents: int = Field(alias="tax_cents")


class PublicWebhookLocation(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    address: str = Field(alias="address")
    phone: Optional[str] = Field(alias="phone")
    timezone: str = Field(alias="timezone")


class PublicWebhookOrganization(BaseModel):
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")


class PublicWebhookPayment(BaseModel):
    id: uuid.UUID = Field(alias="id")
    method: Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"] = Field(
        alias="method"
    )
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    occurred_at: datetime.datetime = Field(alias="occurred_at")


class PublicWebhookRefund(BaseModel):
    id: uuid.UUID = Field(alias="id")
    payment_id: uuid.UUID = Field(alias="payment_id")
    method: Literal["stripe", "cash", "card_terminal", "transfer", "bizum", "voucher"] = Field(
        alias="method"
    )
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    reason: Literal[
        "cancelled",
        "changed",
        "no_show",
        "overpaid",
        "paid_late",
        "hold_expired",
        "staff",
        "provider",
        "correction",
    ] = Field(alias="reason")
    occurred_at: datetime.datetime = Field(alias="occurred_at")


class PublicWebhookReplay(BaseModel):
    queued: int = Field(alias="queued")
    remaining: int = Field(alias="remaining")


class PublicWebhookResult(BaseModel):
    outcome: Literal["escaped", "failed", "aborted"] = Field(alias="outcome")
    escape_seconds: Optional[int] = Field(alias="escape_seconds")
    duration_seconds: int = Field(alias="duration_seconds")
    pauses: int = Field(alias="pauses")
    hints: int = Field(alias="hints")
    played_at: datetime.datetime = Field(alias="played_at")
    language: Optional[str] = Field(alias="language")
    level: Optional[str] = Field(alias="level")
    is_by_hand: bool = Field(alias="is_by_hand")
    is_public: bool = Field(alias="is_public")


class PublicWebhookRoom(BaseModel):
    id: uuid.UUID = Field(alias="id")
    slug: str = Field(alias="slug")
    name: str = Field(alias="name")


class PublicWithdrawnRefund(BaseModel):
    refund_request_id: uuid.UUID = Field(alias="refund_request_id")
    booking_id: uuid.UUID = Field(alias="booking_id")
    status: Literal["withdrawn", "failed"] = Field(alias="status")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    refundable_cents: int = Field(alias="refundable_cents")


class ServiceAnsweredNoticeLink(BaseModel):
    organization_name: str = Field(alias="organization_name")
    is_told: bool = Field(alias="is_told")


class ServiceApiKey(BaseModel):
    api_key_id: uuid.UUID = Field(alias="api_key_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    expires_at: datetime.datetime = Field(alias="expires_at")


class ServiceAppliedBilling(BaseModel):
    organization_id: Optional[uuid.UUID] = Field(alias="organization_id")
    outcome: Literal["applied", "unknown", "older"] = Field(alias="outcome")
    unknown_prices: List[str] = Field(alias="unknown_prices")
    changes: List[ServiceBillingChange] = Field(alias="changes")


class ServiceAppliedCheckout(BaseModel):
    attempt_id: Optional[uuid.UUID] = Field(alias="attempt_id")
    status: Literal["open", "failed", "expired", "paid", "unknown"] = Field(alias="status")
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    booking_status: Optional[
        Literal[
            "held",
            "pending",
            "confirmed",
            "checked_in",
            "in_progress",
            "completed",
            "expired",
            "cancelled",
            "no_show",
        ]
    ] = Field(alias="booking_status")


class ServiceAppliedDispute(BaseModel):
    dispute_id: Optional[uuid.UUID] = Field(alias="dispute_id")
    organization_id: Optional[uuid.UUID] = Field(alias="organization_id")
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    status: str = Field(alias="status")


class ServiceAppliedRefund(BaseModel):
    refund_request_id: Optional[uuid.UUID] = Field(alias="refund_request_id")
    status: Literal["pending", "succeeded", "failed", "withdrawn", "unknown"] = Field(
        alias="status"
    )


class ServiceAppliedStripeAccount(BaseModel):
    organization_id: Optional[uuid.UUID] = Field(alias="organization_id")
    outcome: Literal["applied", "unknown", "older"] = Field(alias="outcome")
    may_charge: Optional[bool] = Field(alias="may_charge")


class ServiceAttemptState(BaseModel):
    attempt_id: uuid.UUID = Field(alias="attempt_id")
    status: Literal["open", "failed", "expired", "paid"] = Field(alias="status")


class ServiceBillingAccount(BaseModel):
    organization_id: uuid.UUID = Field(alias="organization_id")
    customer_id: Optional[str] = Field(alias="customer_id")
    subscription_id: Optional[str] = Field(alias="subscription_id")
    status: Optional[str] = Field(alias="status")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    deleted_customer_id: Optional[str] = Field(alias="deleted_customer_id")


class ServiceBillingChange(BaseModel):
    field: str = Field(alias="field")
    before: Optional[str] = Field(alias="before")
    after: Optional[str] = Field(alias="after")


class ServiceCheckoutAttempt(BaseModel):
    session_id: Optional[str] = Field(alias="session_id")
    status: Literal["open", "failed", "expired", "paid"] = Field(alias="status")
    stripe_account: Optional[str] = Field(alias="stripe_account")


class ServiceDeadJob(BaseModel):
    id: int = Field(alias="id")
    kind: str = Field(alias="kind")
    organization_id: Optional[uuid.UUID] = Field(alias="organization_id")
    payload: JsonValue = Field(alias="payload")
    attempts: int = Field(alias="attempts")
    last_error: Optional[str] = Field(alias="last_error")
    finished_at: datetime.datetime = Field(alias="finished_at")


class ServiceEmailOverride(BaseModel):
    subject: Optional[str] = Field(alias="subject")
    body: Optional[str] = Field(alias="body")


class ServiceEmailWords(BaseModel):
    template: str = Field(alias="template")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    subject: Optional[str] = Field(alias="subject")
    body: Optional[str] = Field(alias="body")


class ServiceHealth(BaseModel):
    database: Literal["ok"] = Field(alias="database")
    migration: Optional[str] = Field(alias="migration")
    requests_checked: bool = Field(alias="requests_checked")


class ServiceJob(BaseModel):
    id: int = Field(alias="id")
    kind: str = Field(alias="kind")
    payload: JsonValue = Field(alias="payload")
    attempt: int = Field(alias="attempt")
    lease_token: uuid.UUID = Field(alias="lease_token")
    organization_id: Optional[uuid.UUID] = Field(alias="organization_id")
    money: bool = Field(alias="money")


class ServiceMeasure(BaseModel):
    name: Literal[
        "jobs_queued",
        "jobs_due",
        "jobs_running",
        "jobs_dead",
        "job_oldest_due_seconds",
        "webhook_deliveries_pending",
        "subscriptions_unread_seconds",
        "accounts_unread_seconds",
        "connections",
        "connections_max",
    ] = Field(alias="name")
    kind: Optional[str] = Field(alias="kind")
    value: float = Field(alias="value")


class ServiceMonthFigures(BaseModel):
    organization_name: str = Field(alias="organization_name")
    first_date: datetime.date = Field(alias="first_date")
    revenue: List[PublicRevenueReport] = Field(alias="revenue")
    bookings: PublicBookingsReport = Field(alias="bookings")
    games: PublicGamesReport = Field(alias="games")
    occupancy: Optional[PublicOccupancyReport] = Field(alias="occupancy")
    revenue_before: List[PublicRevenueReport] = Field(alias="revenue_before")
    bookings_before: PublicBookingsReport = Field(alias="bookings_before")
    games_before: PublicGamesReport = Field(alias="games_before")
    occupancy_before: Optional[PublicOccupancyReport] = Field(alias="occupancy_before")


class ServiceOpenCheckout(BaseModel):
    attempt_id: uuid.UUID = Field(alias="attempt_id")
    attempt_token: Optional[str] = Field(alias="attempt_token")
    organization_id: uuid.UUID = Field(alias="organization_id")
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    reference: str = Field(alias="reference")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    description: str = Field(alias="description")
    customer_email: Optional[str] = Field(alias="customer_email")
    expires_at: datetime.datetime = Field(alias="expires_at")
    stripe_account: Optional[str] = Field(alias="stripe_account")
    delayed_methods: bool = Field(alias="delayed_methods")
    checkout_url: Optional[str] = Field(alias="checkout_url")
    site_url: Optional[str] = Field(alias="site_url")
    platform_fee_cents: int = Field(alias="platform_fee_cents")
    closing: bool = Field(alias="closing")
    session_id: Optional[str] = Field(alias="session_id")


class ServicePreparedEmail(BaseModel):
    template: str = Field(alias="template")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    to: ServiceRecipient = Field(alias="to")
    data: JsonValue = Field(alias="data")
    override: Optional[ServiceEmailOverride] = Field(alias="override")
    sender_address: Optional[str] = Field(alias="sender_address")


class ServicePreparedWebhook(BaseModel):
    delivery_id: uuid.UUID = Field(alias="delivery_id")
    event_id: uuid.UUID = Field(alias="event_id")
    attempt: int = Field(alias="attempt")
    url: str = Field(alias="url")
    webhook_timestamp: str = Field(alias="webhook_timestamp")
    webhook_signature: str = Field(alias="webhook_signature")
    body: str = Field(alias="body")


class ServiceQueueStatistics(BaseModel):
    queued: int = Field(alias="queued")
    running: int = Field(alias="running")
    dead: int = Field(alias="dead")
    oldest_queued_seconds: int = Field(alias="oldest_queued_seconds")


class ServiceReceived(BaseModel):
    duplicate: bool = Field(alias="duplicate")


class ServiceRecipient(BaseModel):
    name: str = Field(alias="name")
    email: str = Field(alias="email")


class ServiceRecordedEmail(BaseModel):
    recorded: bool = Field(alias="recorded")


class ServiceRecordedWebhook(BaseModel):
    status: Literal["pending", "delivered", "failed"] = Field(alias="status")
    endpoint_disabled: bool = Field(alias="endpoint_disabled")


class ServiceRefundRequest(BaseModel):
    refund_request_id: uuid.UUID = Field(alias="refund_request_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    booking_id: Optional[uuid.UUID] = Field(alias="booking_id")
    reference: str = Field(alias="reference")
    status: Literal["pending", "succeeded", "failed", "withdrawn"] = Field(alias="status")
    amount_cents: int = Field(alias="amount_cents")
    currency: str = Field(alias="currency")
    reason: Literal[
        "cancelled",
        "changed",
        "no_show",
        "overpaid",
        "paid_late",
        "hold_expired",
        "staff",
        "provider",
    ] = Field(alias="reason")
    payment_intent: Optional[str] = Field(alias="payment_intent")
    stripe_account: Optional[str] = Field(alias="stripe_account")
    provider_refund_id: Optional[str] = Field(alias="provider_refund_id")
    refund_fee: bool = Field(alias="refund_fee")
    disputed: bool = Field(alias="disputed")
    disputes: int = Field(alias="disputes")


class ServiceRetried(BaseModel):
    queued: int = Field(alias="queued")
    superseded: int = Field(alias="superseded")


class ServiceRetriedJob(BaseModel):
    id: int = Field(alias="id")
    kind: str = Field(alias="kind")
    status: Literal["queued"] = Field(alias="status")


class ServiceSenderDomain(BaseModel):
    domain: str = Field(alias="domain")
    provider_id: Optional[str] = Field(alias="provider_id")
    claimed_at: datetime.datetime = Field(alias="claimed_at")
    is_proven: bool = Field(alias="is_proven")
    proof: str = Field(alias="proof")


class ServiceStripeAccountOrder(BaseModel):
    id: uuid.UUID = Field(alias="id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    organization_name: str = Field(alias="organization_name")
    email: Optional[str] = Field(alias="email")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    account_id: Optional[str] = Field(alias="account_id")


class ServiceSubscriptionChange(BaseModel):
    subscription_id: str = Field(alias="subscription_id")
    lookup_key: str = Field(alias="lookup_key")
    kind: Literal["upgrade", "downgrade", "stay"] = Field(alias="kind")


class ServiceSubscriptionOrder(BaseModel):
    attempt_id: uuid.UUID = Field(alias="attempt_id")
    organization_id: uuid.UUID = Field(alias="organization_id")
    organization_name: str = Field(alias="organization_name")
    email: Optional[str] = Field(alias="email")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    customer_id: Optional[str] = Field(alias="customer_id")
    customer_key: str = Field(alias="customer_key")
    lookup_key: str = Field(alias="lookup_key")
    trial_days: int = Field(alias="trial_days")
    checkout_url: Optional[str] = Field(alias="checkout_url")
    former_session_id: Optional[str] = Field(alias="former_session_id")


class ServiceSwept(BaseModel):
    expired_holds: int = Field(alias="expired_holds")
    ended_visits: int = Field(alias="ended_visits")
    forgotten_idempotency_keys: int = Field(alias="forgotten_idempotency_keys")
    forgotten_rate_limits: int = Field(alias="forgotten_rate_limits")
    forgotten_jobs: int = Field(alias="forgotten_jobs")
    waitlist_offers: int = Field(alias="waitlist_offers")
    expired_waitlist_entries: int = Field(alias="expired_waitlist_entries")
    due_messages: int = Field(alias="due_messages")
    lapsing_holds: int = Field(alias="lapsing_holds")
    changed_details: int = Field(alias="changed_details")
    due_webhooks: int = Field(alias="due_webhooks")
    forgotten_webhooks: int = Field(alias="forgotten_webhooks")


class ServiceSweptNotices(BaseModel):
    told: int = Field(alias="told")
    digests: int = Field(alias="digests")
    boards: int = Field(alias="boards")
    forgotten: int = Field(alias="forgotten")


class ServiceTableExport(BaseModel):
    kind: Literal["bookings", "payments", "customers", "waivers", "results", "month"] = Field(
        alias="kind"
    )
    format: Literal["csv", "xlsx", "pdf"] = Field(alias="format")
    locale: Literal["es", "en", "ca"] = Field(alias="locale")
    object_path: str = Field(alias="object_path")
    permissions: List[str] = Field(alias="permissions")


class ServiceUnsubscribed(BaseModel):
    organization_name: str = Field(alias="organization_name")
