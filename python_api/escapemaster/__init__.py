"""Backend of a multi-tenant platform for escape-room businesses."""
