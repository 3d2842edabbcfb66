"""Data for looking at the product: two venues, as if they had been open for a while."""
