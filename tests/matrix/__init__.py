"""Who may do what, proven over everything that the live catalogue holds."""
