"""Backend of a multi-tenant platform for escape-room businesses."""

__version__ = "0.1.0"
