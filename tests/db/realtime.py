"""What Supabase Realtime has in a database, as far as the product meets it."""

from __future__ import annotations

from typing import Final

STAND_IN: Final = (
    "create schema realtime",
    "grant usage on schema realtime to authenticated",
    (
        "create table realtime.messages (topic text, extension text, payload jsonb, event text,"
        " private boolean)"
    ),
    "alter table realtime.messages enable row level security",
    "grant select, insert on realtime.messages to authenticated",
    (
        "create function realtime.topic() returns text language sql stable"
        " as $$ select current_setting('realtime.topic', true) $$"
    ),
    "grant execute on function realtime.topic to authenticated",
    (
        "create function realtime.send(payload jsonb, event text, topic text, private boolean)"
        " returns void language sql as $$ insert into realtime.messages"
        " values (topic, 'broadcast', payload, event, private) $$"
    ),
)
