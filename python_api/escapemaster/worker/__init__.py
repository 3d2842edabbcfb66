"""The worker: does what the database has put off (mails, Stripe), and keeps deadlines."""
