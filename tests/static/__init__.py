"""Rules that need no running product: sources, catalogue, committed files."""
