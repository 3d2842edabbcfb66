/** The booking as its link shows it: see it, change it, cancel it. */
import type { Booking } from "../../../_shared/booking.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { download, googleLink, outlookLink, placeOf } from "../event.ts";
import { stillOpen } from "../state.ts";
import { bookingTicket, costs, row } from "./costs.ts";
import { button, heading, icon, linkRow, type MoreView, notice } from "./parts.ts";
import { asked, othersPay } from "./pay.ts";
import { agreed } from "./terms.ts";

export function booked(view: MoreView): Child {
  const { state, strings, format, flow } = view;
  const { booking } = state;
  if (!booking) return null;
  const cancelled = booking.status === "cancelled";
  const confirmed = booking.status === "confirmed";
  const open = stillOpen(booking);
  // Money is owed to the venue; how much of it the provider's page takes, the database says.
  const payable = asked(booking);
  const movable = confirmed && booking.reschedulable !== false;
  // What is over, or was cancelled, needs no signature.
  const waiver = ["confirmed", "checked_in"].includes(booking.status) ? booking.waiver : null;
  const token = waiver && waiver.missing > 0 ? waiver.token : null;
  const title = cancelled
    ? strings.cancelledTitle
    : state.fresh
    ? strings.confirmedTitle
    : strings.bookingTitle;
  // The refund travels by itself: until it is in the books, what was promised is what counts.
  const refund = Math.max(state.promisedCents, booking.refunded_cents);
  // Whoever was booked at the desk may have left no address.
  const lead = state.fresh && booking.customer.email
    ? strings.confirmedText(booking.customer.email)
    : !cancelled
    ? ""
    : refund > 0
    ? strings.cancelledRefund(format.money(refund, booking.currency))
    : strings.cancelledText;
  return h(
    "div",
    { class: "booked" },
    h(
      "div",
      { class: "booked-head" },
      h(
        "span",
        { class: "badge", "data-tone": confirmed ? "good" : cancelled ? "error" : "plain" },
        icon(confirmed ? "check" : cancelled ? "cross" : "info"),
      ),
      h("div", {}, heading(title), lead && h("p", { class: "lead" }, lead)),
    ),
    notice(view),
    h(
      "div",
      { class: "card" },
      h(
        "div",
        { class: "card-top" },
        bookingTicket(view, booking),
        h(
          "div",
          { class: "reference" },
          h("span", { class: "muted small" }, strings.reference),
          h("strong", { class: "reference-code" }, booking.reference),
          h(
            "span",
            { class: "state", "data-tone": confirmed ? "good" : cancelled ? "error" : "plain" },
            strings.statuses[booking.status] ?? booking.status,
          ),
        ),
      ),
      h(
        "dl",
        { class: "facts" },
        row(strings.venue, booking.organization.name),
        placeOf(booking) && row(strings.where, placeOf(booking)),
        booking.location?.directions && row(strings.directions, way(booking.location.directions)),
        confirmed && booking.location?.arrival_hints &&
          row(strings.arrival, way(booking.location.arrival_hints)),
        booking.location?.phone && row(strings.venuePhone, booking.location.phone),
        booking.customer.full_name && row(strings.bookedBy, booking.customer.full_name),
        waiver && waiver.needed > 0 &&
          row(strings.waiver, strings.waiverSigned(waiver.signed, waiver.needed)),
        booking.paid_cents > 0 &&
          row(strings.paid, format.money(booking.paid_cents, booking.currency)),
        booking.refunded_cents > 0 &&
          row(strings.refunded, format.money(booking.refunded_cents, booking.currency)),
        open > 0 && row(strings.open, format.money(open, booking.currency)),
      ),
      costs(view, booking),
      // As agreed when it was booked, which is not always what its room's terms are by now.
      (confirmed || booking.cancellable) && agreed(view, booking.terms),
    ),
    othersPay(booking) && h("p", { key: "others" }, strings.othersPay),
    state.checkoutUrl && linkRow(view, state.checkoutUrl, strings.openPayment),
    confirmed && calendars(view, booking),
    token && waiverLink(view, token),
    state.asking === "cancel" ? question(view, booking) : h(
      "div",
      { class: "actions" },
      payable !== 0 && button({
        // Whoever has just paid a deposit is done for now.
        kind: state.fresh ? "plain" : "primary",
        busy: state.busy === "pay",
        label: state.busy === "pay"
          ? strings.opening
          : payable === null
          ? strings.openPayment
          : strings.pay(format.money(payable, booking.currency)),
        press: () => void flow.paying.pay(),
      }),
      token && button({
        kind: "plain",
        busy: state.busy === "waiver",
        label: [icon("pen"), strings.waiverSign],
        press: () => void flow.more?.waivers.open(token),
      }),
      movable && button({
        kind: "plain",
        busy: state.busy === "move",
        label: [icon("clock"), strings.move],
        focus: "move",
        press: () => void flow.more?.moving.start(),
      }),
      button({
        kind: "plain",
        label: strings.bookAnother,
        press: () => void flow.bookAnother(),
      }),
      booking.cancellable && button({
        kind: "danger",
        busy: state.busy === "check",
        label: strings.cancel,
        focus: "cancel",
        press: () => void flow.more?.managing.askCancel(),
      }),
    ),
  );
}

/** The visit in the visitor's own calendar: as a file, or where most people keep theirs. */
function calendars({ strings }: MoreView, booking: Booking): VNode {
  const link = (label: string, href: string) =>
    h("a", { class: "link", key: label, href, target: "_blank", rel: "noopener" }, label);
  return h(
    "div",
    { class: "calendars", key: "calendars" },
    button({
      kind: "plain",
      label: [icon("calendar"), strings.addToCalendar],
      press: () => download(booking),
    }),
    link("Google Calendar", googleLink(booking)),
    link("Outlook", outlookLink(booking)),
  );
}

/** Everybody who plays signs for themselves: the link is for the whole party. */
function waiverLink(view: MoreView, token: string): VNode {
  const { strings, flow } = view;
  return h(
    "details",
    { class: "about", key: "waiver-link" },
    h("summary", {}, strings.waiverShare),
    linkRow(view, flow.world.linkTo("waiver", "sign", token), strings.waiverShare),
  );
}

/** Cancelling is asked twice, with what it gives back in between. */
function question(view: MoreView, booking: Booking): VNode {
  const { state, strings, format, flow } = view;
  const { refund_percent, refund_cents, disputed_cents, lost_cents } = booking.cancellation;
  const amount = format.money(refund_cents, booking.currency);
  const lost = lost_cents > 0 && strings.cancelLost(format.money(lost_cents, booking.currency));
  const text = booking.paid_cents === 0
    ? strings.cancelFree
    : lost && refund_cents === 0
    ? lost
    : refund_cents === 0
    ? refund_percent > 0 ? strings.cancelNothing : strings.cancelNone
    : refund_percent >= 100
    ? strings.cancelFull(amount)
    : strings.cancelPart(format.percent(refund_percent * 100), amount);
  return h(
    "div",
    {
      class: "question",
      role: "alertdialog",
      "aria-labelledby": "question",
      "aria-describedby": "question-text",
      "data-focus": "question",
      tabindex: -1,
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === "Escape") flow.more?.managing.keep();
      },
    },
    h("h3", { id: "question", class: "question-title" }, strings.cancelTitle),
    h("p", { id: "question-text" }, text),
    lost && lost !== text && h("p", { key: "lost" }, lost),
    // The bank decides about it, whatever the terms give.
    disputed_cents > 0 &&
      h("p", { key: "disputed" }, strings.disputed(format.money(disputed_cents, booking.currency))),
    h(
      "div",
      { class: "actions" },
      button({
        kind: "danger",
        busy: state.busy === "cancel",
        label: state.busy === "cancel" ? strings.cancelling : strings.cancelYes,
        press: () => void flow.more?.managing.confirmCancel(),
      }),
      button({ kind: "plain", label: strings.cancelNo, press: () => flow.more?.managing.keep() }),
    ),
  );
}

/** Words of the venue's, in their lines. */
const way = (words: string) => h("span", { class: "way" }, words);
