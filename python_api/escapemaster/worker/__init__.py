"""The worker: does what the database has put off (mails, Stripe, files), and keeps deadlines."""
