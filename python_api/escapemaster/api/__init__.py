"""The HTTP service: what needs a secret (Stripe, webhooks) and what a person may do through it."""
