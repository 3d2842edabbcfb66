"""What the product asks of a payment provider, and the one module that knows Stripe."""
