"""A venue's own questions of its data, and its report of a month on paper."""
