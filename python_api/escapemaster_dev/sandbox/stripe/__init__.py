"""A small Stripe that runs beside the local stack: same requests, same objects, no money.

The service talks to it through the official SDK, as it talks to Stripe: only the address
differs (``STRIPE_API_BASE``). What is simulated is what the service uses; a parameter the
sandbox does not know is refused as Stripe refuses a misspelt one, so a request that works
here is one that Stripe accepts too.

Run it with ``uvicorn --factory escapemaster_dev.sandbox.stripe.app:create_app`` (one worker: the
webhook courier lives in the process).

Environment
    STRIPE_SECRET_KEY      the one key that is accepted; without it any ``sk_test_…`` is
    STRIPE_WEBHOOK_SECRET  signs the webhooks
    STRIPE_WEBHOOK_URL     where they go; default ``${API_URL}/webhooks/stripe``; without
                           either nothing is sent, events are only listed
    STRIPE_SANDBOX_URL     the address written into checkout links; default: the request's
    STRIPE_SANDBOX_STATE   SQLite file (or a directory for it); default: in memory

For tests, from this machine only (any other caller gets 404):

``POST /_sandbox/webhooks`` with JSON ``{"deliver": …, "seed": 7}``
    ``true`` sends events in order, ``false`` holds them back until the next call,
    ``"duplicate"`` sends each twice, ``"shuffle"`` sends what is waiting in random order
    (``seed`` makes the order repeatable). Answers the mode and how many are waiting. What was
    waiting after failed attempts is due at once.
``GET /_sandbox/deliveries``
    every delivery with its event, attempts, last status and error; ``?event=evt_…`` for one.
``POST /_sandbox/sessions/{id}/expire-now``
    the session ends as if its time were up; 409 when it is complete already.
``POST /_sandbox/payments/{id}/dispute``
    the customer's bank disputes a payment intent; answers the dispute.
``POST /_sandbox/disputes/{id}`` with JSON ``{"status": "lost"}``
    the bank decides: under_review, won or lost; answers the dispute.
``POST /_sandbox/refunds/{id}/return``
    the customer's bank sends a refund back, which has failed then; answers the refund.
``POST /_sandbox/accounts/{id}`` with JSON ``{"happens": "completed"}``
    something happens to a connected account: completed, restricted, warned, deauthorized or
    reauthorized.
``POST /_sandbox/customers/{id}/advance`` with JSON ``{"seconds": 86400}``
    moves a customer's clock ahead: trials end, subscriptions renew, fail and end.
``POST /_sandbox/customers/{id}/card`` with JSON ``{"works": false}``
    the customer's card is refused from now on; one that works pays what is open.
``POST /_sandbox/after-dunning`` with JSON ``{"becomes": "unpaid"}``
    what becomes of a subscription 21 days after its payment failed; else it is canceled.
``GET /_sandbox/health``
    ``{"status": "ok"}``.
"""
