/** Step 2: who comes, with what, and for how much. */
import type { Extra, Quote } from "../../../_shared/booking.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { codeRefusal, payableNow } from "../state.ts";
import { control, optional, tick } from "./controls.ts";
import { costs, dues, row, ticket } from "./costs.ts";
import {
  back,
  button,
  header,
  icon,
  type MoreView,
  nameOf,
  notice,
  stepper,
  type View,
} from "./parts.ts";
import { consents, contactFields, questions } from "./person.ts";

export function details(view: View): Child {
  const { state, strings, format, flow } = view;
  const { quote, oldTotal } = state;
  const free = quote !== null && payableNow(quote) === 0;
  return [
    back(view, () => void flow.trail.back()),
    header(view, 2, strings.stepDetails),
    notice(view),
    h(
      "div",
      { class: "columns", "data-first": "summary" },
      h(
        "form",
        {
          class: "form",
          novalidate: true,
          onsubmit: (event: Event) => event.preventDefault(),
        },
        contactFields(view),
        questions(view),
        wishes(view),
        codes(view),
        control(view, {
          name: "note",
          label: optional(view, strings.note),
          hint: strings.noteHint,
          value: state.note,
          rows: 2,
          attributes: { maxlength: 1000 },
          input: (value) => flow.details.typeNote(value),
        }),
        consents(view),
        oldTotal !== null && quote
          ? h(
            "div",
            {
              class: "notice",
              key: "changed",
              role: "alert",
              "data-tone": "warn",
              "data-focus": "notice",
              tabindex: -1,
            },
            icon("info"),
            h(
              "p",
              {},
              strings.totalChanged(
                format.money(oldTotal, quote.currency),
                format.money(quote.total_cents, quote.currency),
              ),
            ),
          )
          : null,
        // On a phone the prices are a long way up from here.
        quote && h(
          "p",
          { class: "sum", key: "sum" },
          h("span", {}, strings.total),
          h("span", {}, format.money(quote.total_cents, quote.currency)),
        ),
        quote && dues(view, payableNow(quote), later(quote), quote.currency),
        button({
          kind: "primary",
          submit: true,
          press: () => void flow.details.submitDetails(),
          busy: state.busy === "hold",
          label: state.busy === "hold"
            ? strings.reserving
            : oldTotal !== null && quote
            ? strings.acceptTotal(format.money(quote.total_cents, quote.currency))
            : free
            ? strings.reserveFree
            : strings.reserve,
        }),
        !free && h(
          "p",
          { class: "muted small", key: "hint" },
          strings.reserveHint(state.calendar?.hold_minutes ?? 0),
        ),
      ),
      summary(view),
    ),
  ];
}

// ---- what else, and for how much ----

function wishes(view: View): Child {
  const { strings, state, flow, format } = view;
  const { room } = flow;
  const extras = room?.extras ?? [];
  const currency = state.calendar?.currency ?? "EUR";
  return [
    extras.length > 0 && h(
      "fieldset",
      { class: "extras", key: "extras" },
      h("legend", { class: "label" }, strings.extras),
      h("ul", { class: "extra-list" }, extras.map((extra) => extraRow(view, extra))),
    ),
    flow.pricing.canBeExclusive && tick(view, {
      name: "exclusive",
      label: strings.exclusive,
      hint: strings.exclusiveHint(format.money(room?.exclusive_price_cents ?? 0, currency)),
      checked: state.wishes.exclusive,
      change: (checked) => void flow.pricing.setExclusive(checked),
    }),
  ];
}

function extraRow(view: View, extra: Extra): VNode {
  const { strings, state, flow, format } = view;
  const name = view.text(extra.name);
  const description = view.text(extra.description);
  const price = format.money(extra.price_cents, state.calendar?.currency ?? "EUR");
  const value = state.wishes.extras[extra.id] ?? 0;
  return h(
    "li",
    { class: "extra", key: extra.id, "data-on": value > 0 },
    h(
      "div",
      { class: "extra-text" },
      h("span", { class: "extra-name" }, name),
      description && h("span", { class: "muted small" }, description),
      h(
        "span",
        { class: "small" },
        `${price} ${extra.per === "person" ? strings.each : strings.perBooking}`,
        extra.maximum_quantity > 1 &&
          h("span", { class: "muted" }, ` · ${strings.upTo(extra.maximum_quantity)}`),
      ),
    ),
    stepper({
      value,
      minimum: 0,
      maximum: extra.maximum_quantity,
      fewer: strings.fewerOf(name),
      more: strings.moreOf(name),
      spoken: `${value} × ${name}`,
      change: (quantity) => void flow.pricing.setExtra(extra.id, quantity),
    }),
  );
}

function codes(view: View): Child {
  const { strings, state, flow } = view;
  const { calendar, codeProblem, wishes } = state;
  if (!calendar?.has_coupons && !calendar?.has_vouchers) return null;
  const applied = (["coupon", "voucher"] as const).filter((kind) => wishes[kind] !== null);
  return h(
    "div",
    { class: "field", key: "codes" },
    h("label", { for: "code", class: "label" }, optional(view, strings.code)),
    h(
      "div",
      { class: "code" },
      h("input", {
        id: "code",
        class: "input",
        type: "text",
        autocomplete: "off",
        autocapitalize: "characters",
        spellcheck: "false",
        maxlength: 64,
        value: state.code,
        "data-focus": "code",
        "aria-invalid": codeProblem ? "true" : undefined,
        "aria-describedby": codeProblem ? "code-error" : undefined,
        oninput: (event: Event) => flow.pricing.typeCode((event.target as HTMLInputElement).value),
        // Enter applies the code; it does not book.
        onkeydown: (event: KeyboardEvent) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          void flow.pricing.applyCode();
        },
      }),
      button({
        kind: "plain",
        busy: state.busy === "code",
        label: strings.apply,
        press: () => void flow.pricing.applyCode(),
      }),
    ),
    codeProblem && h(
      "p",
      { class: "error", id: "code-error", role: "alert", key: "code-error" },
      icon("alert"),
      problemText(view, codeProblem),
    ),
    applied.length > 0 && h(
      "ul",
      { class: "chips", key: "chips" },
      applied.map((kind) =>
        h(
          "li",
          { class: "chip", key: kind },
          h("span", {}, `${strings[kind]}: `, h("strong", {}, wishes[kind])),
          h(
            "button",
            {
              type: "button",
              class: "round small-round",
              "aria-label": strings.removeCode(wishes[kind] ?? ""),
              onclick: () => void flow.pricing.removeCode(kind),
            },
            icon("cross"),
          ),
        )
      ),
    ),
  );
}

/** Codes of coupons and of vouchers are refused in the same words. */
function problemText({ strings }: View, problem: string): string | undefined {
  const { errors } = strings;
  return errors[problem.replace(codeRefusal, "code_")] ?? errors.unexpected;
}

/** What is being booked and what it costs, before there is a booking. */
function summary(view: View): Child {
  const { state, strings, flow } = view;
  const { slot, quote } = state;
  if (!slot || !flow.room) return null;
  return h(
    "aside",
    {
      class: "summary",
      "aria-label": strings.summary,
      "aria-busy": state.pricing ? "true" : undefined,
    },
    ticket(view, {
      room: nameOf(view, flow.room),
      startsAt: slot.starts_at,
      endsAt: slot.ends_at,
      timezone: slot.timezone,
      partySize: state.partySize,
    }),
    quote
      ? costs(view, quote)
      : state.pricing
      ? h("p", { class: "muted", key: "wait" }, strings.loading)
      : button({ kind: "plain", label: strings.retry, press: () => void flow.pricing.requote() }),
    quote && due(view),
    // They come with the second script, without which nothing is held.
    quote && flow.more?.terms(view as MoreView, quote.terms, state.oldTerms),
    placeOf(view),
  );
}

/** Where to come, and how. */
function placeOf({ state, flow, text }: View): Child {
  const place = state.calendar?.locations?.find((one) => one.id === flow.room?.location_id);
  const directions = text(place?.directions);
  if (!place || !(place.address || directions || place.phone)) return null;
  return h(
    "div",
    { class: "policy muted small", key: "place" },
    h(
      "p",
      { class: "fact" },
      icon("pin"),
      place.address || place.name,
    ),
    directions && h("p", { class: "way", key: "directions" }, directions),
    place.phone && h("p", { key: "phone" }, place.phone),
  );
}

/** How the total is paid, when it is not simply paid now. */
function due({ state, strings, format }: View): Child {
  const { quote } = state;
  if (!quote) return null;
  const voucher = quote.voucher_cents ?? 0;
  const now = payableNow(quote);
  const rest = later(quote);
  if (voucher === 0 && rest <= 0) return null;
  const money = (cents: number) => format.money(cents, quote.currency);
  return h(
    "dl",
    { class: "due" },
    voucher > 0 && row(strings.voucher, money(-voucher), "voucher"),
    row(strings.dueNow, money(now), "now"),
    rest > 0 && row(strings.dueLater, money(rest), "later"),
  );
}

/** What is paid at the venue. */
function later(quote: Quote): number {
  return quote.total_cents - (quote.voucher_cents ?? 0) - payableNow(quote);
}
