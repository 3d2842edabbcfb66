/** Gift vouchers: what is sold and for whom, and an order with what became of it. */
import type { VoucherOffer, VoucherOrder, VoucherProduct } from "../../../_shared/booking.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { termsText } from "../wishes.ts";
import { control, optional, tick } from "./controls.ts";
import { row } from "./costs.ts";
import { back, button, header, heading, icon, linkRow, type MoreView, notice } from "./parts.ts";
import { consents, emailField, field } from "./person.ts";

export function vouchers(view: MoreView): Child {
  const { state, strings, flow } = view;
  const { vouchers } = flow.more!;
  const { offer, gift } = vouchers;
  if (!offer) return closed(view);
  const { organization } = state.calendar ?? {};
  return [
    header(view, null, strings.giftTitle),
    h("p", { class: "lead", key: "lead" }, strings.giftLead(organization?.name ?? "")),
    notice(view),
    h(
      "div",
      { class: "columns" },
      h(
        "form",
        {
          class: "form",
          novalidate: true,
          onsubmit: (event: Event) => event.preventDefault(),
        },
        choice(view, offer),
        control(view, {
          name: "recipient",
          label: optional(view, strings.giftFor),
          value: gift.recipient,
          attributes: { autocomplete: "off" },
          input: (recipient) => vouchers.change({ recipient }),
        }),
        control(view, {
          name: "message",
          label: optional(view, strings.giftMessage),
          hint: strings.giftMessageHint,
          value: gift.message,
          rows: 3,
          attributes: { maxlength: 1000 },
          input: (message) => vouchers.change({ message }),
        }),
        delivery(view, offer),
        h("h3", { class: "part", key: "buyer" }, strings.giftBuyer),
        field(view, "full_name", strings.name, { autocomplete: "name", required: true }),
        emailField(view, strings.giftEmailHint),
        termsText(state.calendar, flow.world.locale()) && consents(view, false),
        rules(view, offer),
        vouchers.cents !== null && h(
          "p",
          { class: "sum", key: "sum" },
          h("span", {}, strings.total),
          h("span", {}, view.format.money(vouchers.cents, offer.currency)),
        ),
        button({
          kind: "primary",
          submit: true,
          press: () => void vouchers.buy(),
          busy: state.busy === "pay",
          label: state.busy === "pay" ? strings.opening : strings.reserve,
        }),
        h("p", { class: "muted small", key: "hint" }, strings.payHint),
      ),
      summary(view, offer),
    ),
    h("div", { class: "actions", key: "others" }, bookGame(view)),
  ];
}

/** Nothing is sold now. */
function closed(view: MoreView): Child {
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge" }, icon("info")),
    heading(view.strings.giftTitle),
    h("p", { class: "lead" }, view.strings.errors.vouchers_not_sold),
    bookGame(view),
  );
}

function bookGame({ strings, flow }: MoreView): VNode {
  return button({
    kind: "link",
    label: strings.giftBook,
    press: () => void flow.bookAnother(),
  });
}

/** A product, or an amount of one's own. */
function choice(view: MoreView, offer: VoucherOffer): Child {
  const { strings, format, flow } = view;
  const { vouchers } = flow.more!;
  const { gift } = vouchers;
  const { minimum_cents: least, maximum_cents: most, currency, products } = offer;
  const money = (cents: number) => format.shortMoney(cents, currency);
  const free = least !== null && most !== null;
  const option = (id: string, text: Child, price: Child) =>
    h(
      "label",
      { class: "gift", key: `gift-${id}`, "data-chosen": gift.product === id },
      h("input", {
        type: "radio",
        name: "product",
        value: id,
        checked: gift.product === id,
        onchange: () => vouchers.change({ product: id }),
      }),
      h("span", { class: "extra-text" }, text),
      price && h("strong", {}, price),
    );
  return [
    products.length > 0 && h(
      "fieldset",
      { class: "gifts", key: "gifts" },
      h("legend", { class: "label" }, strings.giftWhat),
      products.map((product) =>
        option(product.id, described(product), money(product.amount_cents))
      ),
      free && option("", h("span", { class: "extra-name" }, strings.giftOther), null),
    ),
    free && !vouchers.product && control(view, {
      name: "amount",
      label: strings.giftAmount(currency),
      hint: strings.giftRange(money(least), money(most)),
      value: gift.amount,
      attributes: { inputmode: "decimal", autocomplete: "off", maxlength: 13, required: true },
      input: (amount) => vouchers.change({ amount }),
    }),
  ];
}

function described({ name, description }: VoucherProduct): Child {
  return [
    h("span", { class: "extra-name" }, name),
    description && h("span", { class: "muted small" }, description),
  ];
}

/** To the buyer alone, or to the recipient, too: now or on a day. */
function delivery(view: MoreView, offer: VoucherOffer): Child {
  const { strings, format, flow } = view;
  const { vouchers } = flow.more!;
  const { gift, today } = vouchers;
  return [
    tick(view, {
      name: "mailed",
      label: strings.giftMail,
      hint: strings.giftMailHint,
      checked: gift.mailed,
      change: (mailed) => vouchers.change({ mailed }),
    }),
    gift.mailed && [
      control(view, {
        name: "address",
        label: strings.giftAddress,
        value: gift.address,
        attributes: { type: "email", inputmode: "email", autocomplete: "off", required: true },
        input: (address) => vouchers.change({ address }),
      }),
      control(view, {
        name: "day",
        label: optional(view, strings.giftDay),
        hint: strings.giftDayHint(format.zone(offer.timezone, flow.clock.now())),
        value: gift.day,
        attributes: { type: "date", min: today, max: offer.last_delivery_on },
        input: (day) => vouchers.change({ day }),
      }),
    ],
  ];
}

/** What is bought. */
function summary(view: MoreView, offer: VoucherOffer): VNode {
  const { strings, format, state, flow } = view;
  const { product, cents } = flow.more!.vouchers;
  return h(
    "aside",
    { class: "summary", "aria-label": strings.giftOne },
    h(
      "div",
      { class: "ticket" },
      h("p", { class: "ticket-room" }, product?.name || strings.giftOne),
      h("p", { class: "fact", key: "venue" }, icon("pin"), state.calendar?.organization.name),
    ),
    h(
      "dl",
      { class: "costs" },
      h(
        "div",
        { class: "row total", key: "total" },
        h("dt", {}, strings.total),
        h("dd", {}, cents === null ? "–" : format.money(cents, offer.currency)),
      ),
    ),
  );
}

/** What counts, above the button that orders it. */
function rules({ strings }: MoreView, offer: VoucherOffer): VNode {
  return h(
    "ul",
    { class: "policy muted small", key: "policy", "aria-label": strings.giftRules },
    h("li", { key: "use" }, strings.giftUse),
    h("li", { key: "validity" }, strings.giftValidity(offer.validity_months ?? 0)),
    h("li", { key: "refund" }, strings.giftRefund(offer.refund_days)),
  );
}

// ---- an order ----

export function voucher(view: MoreView): Child {
  const { strings, flow, state } = view;
  const { order, waits, known } = flow.more!.vouchers;
  if (!known) return message(view, "check", strings.elsewhereTitle, strings.giftElsewhere);
  if (waits === "shortly") return waiting(view);
  if (waits === "long") {
    return message(
      view,
      "clock",
      strings.slowTitle,
      strings.giftSlow,
      button({
        kind: "plain",
        busy: state.busy === "check",
        label: strings.checkAgain,
        press: () => void flow.more?.vouchers.look(),
      }),
    );
  }
  if (order?.status === "open") return unpaid(view, order);
  if (order?.status === "paid") return bought(view, order);
  return order?.status === "withdrawn"
    ? message(view, "cross", strings.giftWithdrawnTitle, strings.giftWithdrawn)
    : message(view, "clock", strings.giftOverTitle, strings.giftOver, another(view, "primary"));
}

function message(
  view: MoreView,
  badge: "check" | "clock" | "cross",
  title: string,
  text: string,
  action: Child = null,
): VNode {
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge" }, icon(badge)),
    heading(title),
    h("p", { class: "lead" }, text),
    notice(view),
    h("div", { class: "actions" }, action, bookGame(view)),
  );
}

function waiting({ strings }: MoreView): VNode {
  return h(
    "div",
    { class: "center", "aria-busy": "true" },
    h("span", { class: "spinner large", "aria-hidden": "true" }),
    heading(strings.confirmingTitle),
    h("p", { class: "lead" }, strings.confirmingText),
  );
}

function another({ strings, flow }: MoreView, kind: "primary" | "plain"): VNode {
  return button({
    kind,
    label: strings.giftAnother,
    press: () => void flow.more?.vouchers.another(),
  });
}

/** It waits to be paid. */
function unpaid(view: MoreView, order: VoucherOrder): Child {
  const { strings, state, format, flow } = view;
  const { vouchers } = flow.more!;
  return [
    back(view, () => void flow.trail.back()),
    header(view, null, strings.giftUnpaidTitle),
    h("p", { class: "lead", key: "lead" }, strings.giftUnpaid),
    notice(view),
    h(
      "div",
      { class: "form narrow" },
      facts(view, order),
      state.checkoutUrl
        ? h(
          "div",
          { class: "link-out", key: "out" },
          h(
            "a",
            { class: "primary", href: state.checkoutUrl, target: "_blank", rel: "noopener" },
            h("span", {}, strings.openPayment),
          ),
          linkRow(view, state.checkoutUrl, strings.openPayment),
        )
        : button({
          kind: "primary",
          busy: state.busy === "pay",
          label: state.busy === "pay"
            ? strings.opening
            : strings.pay(format.money(order.amount_cents, order.currency)),
          press: () => void vouchers.pay(),
        }),
      h("p", { class: "muted small", key: "hint" }, strings.payHint),
    ),
  ];
}

function facts({ strings, format }: MoreView, order: VoucherOrder): VNode {
  const date = (day: string) => format.date(`${day}T12:00:00Z`, "UTC");
  return h(
    "dl",
    { class: "facts" },
    order.product && row(strings.giftWhat, order.product, "product"),
    row(strings.giftValue, format.money(order.amount_cents, order.currency), "value"),
    order.recipient_name && row(strings.giftFor, order.recipient_name, "for"),
    order.deliver_on && row(strings.giftDelivered, date(order.deliver_on), "day"),
    order.valid_until && row(strings.giftUntil, date(order.valid_until), "until"),
  );
}

/** The voucher: to be printed, or passed on. */
function bought(view: MoreView, order: VoucherOrder): VNode {
  const { strings, state, flow } = view;
  const code = order.code ?? "";
  return h(
    "div",
    { class: "booked" },
    h(
      "div",
      { class: "booked-head" },
      h("span", { class: "badge", "data-tone": "good" }, icon("check")),
      h("div", {}, heading(strings.giftBought), h("p", { class: "lead" }, strings.giftBoughtText)),
    ),
    notice(view),
    h(
      "div",
      { class: "card" },
      h("p", { class: "ticket-room" }, strings.giftOf(state.calendar?.organization.name ?? "")),
      order.message && h("blockquote", { class: "words", key: "words" }, order.message),
      h(
        "div",
        { class: "gift-code", key: "code" },
        h("span", { class: "muted small" }, strings.giftCode),
        h("strong", { class: "reference-code", "data-focus": "link", tabindex: -1 }, code),
      ),
      facts(view, order),
      h("p", { class: "muted small", key: "hint" }, strings.giftCodeHint),
    ),
    h(
      "div",
      { class: "actions" },
      button({
        kind: "plain",
        label: state.copied === code ? [icon("check"), strings.copied] : strings.giftCopy,
        press: () => void flow.copy(code),
      }),
      button({ kind: "plain", label: strings.giftPrint, press: () => print() }),
      another(view, "plain"),
      bookGame(view),
    ),
  );
}
