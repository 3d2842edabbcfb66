/** Buying a gift voucher: what the venue sells, for whom it is, the order, and what became of it. */
import type {
  BookingCalendar,
  Checkout,
  PlacedVoucherOrder,
  VoucherOffer,
  VoucherOrder,
  VoucherProduct,
} from "../../_shared/booking.ts";
import { digitsOf } from "../../_shared/money.ts";
import { ApiError, refusalOf } from "./api.ts";
import { type FieldErrors, type FieldProblem, validateField } from "./customer.ts";
import { localDate } from "./dates.ts";
import type { Flow } from "./flow.ts";
import { moreText } from "./state.ts";
import { termsText } from "./wishes.ts";

/** The gift as it stands in the form. */
export interface Gift {
  /** The product's id; empty: an amount of one's own. */
  readonly product: string;
  readonly amount: string;
  readonly recipient: string;
  /** Whether it is mailed to the recipient, too, and to which address. */
  readonly mailed: boolean;
  readonly address: string;
  readonly message: string;
  /** `YYYY-MM-DD`; empty: as soon as it is paid. */
  readonly day: string;
}

interface OrderRequest {
  readonly slug: string;
  readonly buyer_name: string;
  readonly buyer_email: string;
  readonly amount_cents: number;
  readonly product_id: string | null;
  readonly recipient_name: string | null;
  readonly recipient_email: string | null;
  readonly message: string | null;
  readonly deliver_on: string | null;
  readonly locale: string;
  readonly accepted_terms: string | null;
}

/** The last order that was asked for, so that the same form is the same order after a reload, too. */
interface Kept {
  readonly signature: string;
  readonly key: string;
  readonly order?: string;
}

export const noGift: Gift = {
  product: "",
  amount: "",
  recipient: "",
  mailed: false,
  address: "",
  message: "",
  day: "",
};

const MESSAGE_LENGTH = 1000;
/** How long one looks whether the money has arrived, and how often while it is paid elsewhere. */
const CONFIRM_LIMIT_MS = 60_000;
const LOOK_MS = 4_000;
const MOST_LOOKS = 60;

/** Where what the database refuses is typed. */
const controls: Readonly<Record<string, readonly [string, FieldProblem]>> = {
  amount_cents: ["amount", "invalidAmount"],
  buyer_name: ["full_name", "invalidName"],
  buyer_email: ["email", "invalidEmail"],
  recipient_name: ["recipient", "invalidName"],
  recipient_email: ["address", "invalidEmail"],
  message: ["message", "invalidMessage"],
  deliver_on: ["day", "invalidDelivery"],
};

/** An amount as people type it, in minor units; null: it is none of this currency. */
export function typedAmount(text: string, currency: string): number | null {
  const digits = digitsOf(currency);
  const [, whole, part = ""] = /^(\d{1,9})(?:[.,](\d{1,3}))?$/.exec(text.trim()) ?? [];
  if (whole === undefined || part.length > digits) return null;
  return Number(whole + part.padEnd(digits, "0"));
}

export class Vouchers {
  /** Null: none are sold, or it is not known yet. */
  offer: VoucherOffer | null = null;
  gift: Gift = noGift;
  order: VoucherOrder | null = null;
  /** The payment is being looked for; it took longer than it mostly does. */
  waits: "shortly" | "long" | null = null;
  /** The order that is shown. */
  #id = "";
  #token: string | null = null;

  constructor(readonly flow: Flow) {}

  /** Whether the order that is shown can be read here, or only by the link in its mail. */
  get known(): boolean {
    return this.#token !== null;
  }

  get product(): VoucherProduct | null {
    return this.offer?.products.find(({ id }) => id === this.gift.product) ?? null;
  }

  /** What the voucher is worth; null while that is not typed. */
  get cents(): number | null {
    if (this.product || !this.offer) return this.product?.amount_cents ?? null;
    return typedAmount(this.gift.amount, this.offer.currency);
  }

  /** Today at the venue. */
  get today(): string {
    return localDate(this.flow.clock.now(), this.offer?.timezone ?? "UTC");
  }

  /** Whether the page was opened for this. Raises what the database refuses. */
  async enter(): Promise<boolean> {
    const { flow } = this;
    const { reference, token, payment, waiver, leave, confirm } = flow.entering.entry;
    if (waiver || leave || confirm || (reference && !reference[35])) return false;
    if (reference?.startsWith("share-")) {
      await flow.more!.shares.show(reference, token, payment);
      return true;
    }
    const step = flow.trail.read()?.step ?? "vouchers";
    const left = step === "voucher" ? this.#kept?.order : undefined;
    // The visitor has gone on to something else, and loads the page again.
    if (!reference && !/^vouchers?$/.test(step)) return false;
    flow.base = reference ? "voucher" : "vouchers";
    if (!await flow.entering.dressed) await this.#readTerms();
    this.gift = { ...noGift, ...flow.world.store.tab.read<Gift>(this.#name("gift")) };
    if (reference ?? left) await this.show(reference ?? left ?? "", token, payment);
    else await this.open();
    return true;
  }

  /** To a step that the browser names. */
  async lead(to: "vouchers" | "voucher"): Promise<void> {
    if (to === "vouchers") await this.flow.withMore(() => this.open());
    else if (this.#id) this.#set("voucher");
  }

  // ---- what is sold, and for whom ----

  async open(): Promise<void> {
    await this.#readOffer();
    this.flow.set({ fieldErrors: {}, notice: null, checkoutUrl: null });
    this.#set("vouchers");
  }

  /** Another one, from an empty form. */
  async another(): Promise<void> {
    const { flow } = this;
    this.#forget();
    flow.world.clearAddress();
    await flow.withMore(() => this.open());
  }

  async #readOffer(): Promise<void> {
    const { api, slug, locale } = this.flow.world;
    try {
      this.offer = await api.rpc<VoucherOffer>("get_voucher_offer", { slug, locale: locale() });
    } catch (error) {
      if (refusalOf(error).code !== "vouchers_not_sold") throw error;
      this.offer = null;
    }
    const { offer, gift } = this;
    // Nothing else can be chosen, or what was chosen is not sold any more.
    if (!offer || this.product || (gift.amount && offer.maximum_cents !== null)) return;
    this.gift = { ...gift, product: offer.products[0]?.id ?? "" };
  }

  async #readTerms(): Promise<void> {
    const { flow } = this;
    const calendar: BookingCalendar = await flow.world.api.getCalendar(flow.world.slug);
    flow.clock.hear(calendar.now);
    flow.set({ calendar });
  }

  change(change: Partial<Gift>): void {
    const { flow } = this;
    this.gift = { ...this.gift, ...change };
    flow.world.store.tab.write(this.#name("gift"), this.gift);
    // What was said to be wrong is looked at again while it is being mended.
    const wrong = this.problems();
    const before = Object.entries(flow.state.fieldErrors);
    flow.set({
      fieldErrors: Object.fromEntries(before.filter(([name]) => name in wrong)),
    });
  }

  /** What cannot be ordered like this, in the order of the form. */
  problems(): FieldErrors {
    const { offer, gift, cents, today, flow } = this;
    const { form } = flow.state;
    const wrong: Record<string, FieldProblem | null> = {
      amount: this.product ||
          (cents !== null && offer?.minimum_cents !== null && offer?.maximum_cents !== null &&
            offer && cents >= offer.minimum_cents && cents <= offer.maximum_cents)
        ? null
        : "invalidAmount",
      address: gift.mailed ? validateField("email", gift.address) : null,
      day: !gift.mailed || gift.day === "" ||
          (offer && gift.day >= today && gift.day <= offer.last_delivery_on)
        ? null
        : "invalidDelivery",
      full_name: validateField("full_name", form.full_name),
      email: validateField("email", form.email),
      terms: flow.details.agreed ? null : "requiredTerms",
    };
    return Object.fromEntries(
      Object.entries(wrong).filter((entry): entry is [string, FieldProblem] => entry[1] !== null),
    );
  }

  // ---- the order ----

  /** Order it, and go where it is paid. */
  async buy(): Promise<void> {
    const { flow } = this;
    if (flow.state.busy) return;
    const fieldErrors = this.problems();
    flow.set({ fieldErrors, notice: null });
    if (Object.keys(fieldErrors).length > 0) return flow.details.focusOnProblem();
    flow.set({ busy: "pay" });
    try {
      await this.#place(this.#request());
      // The order of before, whose time to pay is over.
      if (this.order?.status === "over") {
        this.#keep(null);
        await this.#place(this.#request());
      }
      flow.set({ busy: null });
    } catch (error) {
      flow.set({ busy: null });
      return await this.#refused(error);
    }
    this.#set("voucher");
    if (this.order?.status === "open") await this.pay();
    else this.#arrived();
  }

  #request(): OrderRequest {
    const { flow: { state, world }, gift, product } = this;
    const locale = world.locale();
    const given = (text: string) => text.trim() || null;
    return {
      slug: world.slug,
      buyer_name: state.form.full_name.trim(),
      buyer_email: state.form.email.trim(),
      // What was seen: a product may cost something else by now.
      amount_cents: this.cents ?? 0,
      product_id: product?.id ?? null,
      recipient_name: given(gift.recipient),
      recipient_email: gift.mailed ? given(gift.address) : null,
      message: given(gift.message.slice(0, MESSAGE_LENGTH)),
      deliver_on: gift.mailed ? given(gift.day) : null,
      locale,
      accepted_terms: given(termsText(state.calendar, locale)),
    };
  }

  async #place(request: OrderRequest): Promise<void> {
    const { store, slug, api, newKey } = this.flow.world;
    const signature = JSON.stringify(request);
    const kept = this.#kept;
    const key = kept?.signature === signature ? kept.key : newKey();
    this.#keep({ signature, key });
    const placed = await api.rpc<PlacedVoucherOrder>("order_voucher", {
      ...request,
      idempotency_key: key,
    });
    this.#keep({ signature, key, order: placed.order_id });
    this.#id = placed.order_id;
    this.#token = placed.order_token;
    store.save(this.#id, { token: this.#token, calendar: slug, skew: 0 });
    this.order = await this.#read();
  }

  #read(): Promise<VoucherOrder> {
    return this.flow.world.api.rpc<VoucherOrder>("get_voucher_order", this.#key);
  }

  get #key(): { readonly order_id: string; readonly order_token: string } {
    return { order_id: this.#id, order_token: this.#token ?? "" };
  }

  /** What was refused, said where it can be mended. */
  async #refused(error: unknown): Promise<void> {
    const { flow } = this;
    const { code, details } = refusalOf(error);
    try {
      if (/^(vouchers_not_sold|voucher_product_not_found|voucher_order_invalid)$/.test(code)) {
        await this.#readOffer();
      } else if (code === "terms_not_accepted") {
        await this.#readTerms();
        flow.details.agree("terms", "");
        flow.set({ fieldErrors: { terms: "requiredTerms" } });
        return flow.details.focusOnProblem();
      }
    } catch (other) {
      return await flow.explain(other);
    }
    const [name, problem] = controls[String(details.field)] ?? [];
    if (code === "voucher_order_invalid" && name && problem) {
      // Who has chosen a product typed no amount: it costs something else by now.
      if (name === "amount" && this.product) {
        return await flow.explain(new ApiError("voucher_price_changed", 409));
      }
      flow.set({ fieldErrors: { [name]: problem } });
      return flow.details.focusOnProblem();
    }
    await flow.explain(
      code === "rate_limited" ? new ApiError("vouchers_rate_limited", 429) : error,
    );
  }

  // ---- paying ----

  async pay(): Promise<void> {
    const { flow } = this;
    if (flow.state.busy) return;
    flow.set({ busy: "pay", notice: null, checkoutUrl: null });
    try {
      const { checkout_url } = await flow.world.api.serve<Checkout>("voucher-checkout", {
        ...this.#key,
        return_url: flow.world.returnUrl(),
      });
      if (!/^https?:\/\//.test(checkout_url)) throw new ApiError("unexpected", 500);
      await flow.paying.leaveFor(checkout_url);
    } catch (error) {
      const { code } = refusalOf(error);
      console.error(`escape-booking: the payment page was refused (${code})`);
      flow.set({ busy: null });
      // It was paid meanwhile, or its time is over: the order says so.
      if (/^(nothing_due|not_payable)$/.test(code)) return await this.look();
      const known = /^(network|rate_limited|checkout_\w+|online_payment_unavailable)$/.test(code);
      return await flow.explain(known ? error : new ApiError("voucher_unpaid", 0));
    }
    if (flow.state.checkoutUrl) await this.#watch();
  }

  /** It is paid elsewhere, in another tab: the order says when. */
  async #watch(): Promise<void> {
    const { flow } = this;
    for (let looks = 0; looks < MOST_LOOKS && this.#stands; looks++) {
      await flow.world.wait(LOOK_MS * 1.03 ** looks);
      const seen = await this.#read().catch(() => null);
      if (seen && seen.status !== "open" && this.#stands) return this.#seen(seen);
    }
  }

  /** Whether the order is still what is shown. */
  get #stands(): boolean {
    const { stopped, state } = this.flow;
    return !stopped && state.step === "voucher" && this.order?.status === "open";
  }

  // ---- what became of it ----

  /** An order, by the way back from its page or by its link. */
  async show(id: string, token: string | null, payment: string | null): Promise<void> {
    const { flow } = this;
    const { store, slug, now, wait } = flow.world;
    this.#id = id;
    this.#token = token ?? store.load(id)?.token ?? null;
    // A payment that came back to another browser.
    if (this.#token === null) return this.#set("voucher");
    store.save(id, { token: this.#token, calendar: slug, skew: 0 });
    const paid = payment === "success";
    this.order = await this.#read();
    flow.clock.hear();
    if (!paid || this.order.status === "paid") return this.#seen(this.order);
    // The page reads the order, not the redirect: it waits until the money has arrived.
    this.waits = "shortly";
    this.#set("voucher");
    const until = now() + CONFIRM_LIMIT_MS;
    for (let pause = 500; now() < until && !flow.stopped; pause *= 1.4) {
      await wait(Math.min(pause, LOOK_MS));
      if (this.waits === null) return;
      const seen = await this.#read().catch(() => null);
      if (seen && /^(paid|withdrawn)$/.test(seen.status)) return this.#seen(seen);
    }
    this.waits = "long";
    this.#set("voucher");
  }

  /** Once more, as the visitor wishes. */
  async look(): Promise<void> {
    const { flow } = this;
    if (flow.state.busy) return;
    flow.set({ busy: "check", notice: null });
    try {
      const seen = await this.#read();
      flow.set({ busy: null });
      // Money may be under way as long as nobody says that it has arrived.
      if (this.waits === null || /^(paid|withdrawn)$/.test(seen.status)) return this.#seen(seen);
      flow.set({ announcement: flow.say(moreText((strings) => strings.slowTitle)) });
    } catch (error) {
      flow.set({ busy: null });
      await flow.explain(error);
    }
  }

  #seen(order: VoucherOrder): void {
    this.order = order;
    this.waits = null;
    this.flow.set({ busy: null, notice: null, checkoutUrl: null });
    this.#set("voucher");
    this.#arrived();
  }

  /** Told once: what was ordered here is paid, and the form is empty for another. */
  #arrived(): void {
    const { order, flow } = this;
    if (order?.status !== "paid" || this.#kept?.order !== order.order_id) return;
    this.#forget();
    flow.emit("bought", {
      reference: order.order_id,
      total_cents: order.amount_cents,
      currency: order.currency,
    });
  }

  #set(step: "vouchers" | "voucher"): void {
    const { flow } = this;
    const before = flow.state.step;
    flow.set({ step, focus: flow.focusOn("heading") });
    flow.trail.push(before);
  }

  // ---- what the tab keeps ----

  #name(what: string): string {
    return `${what}:${this.flow.world.slug}`;
  }

  get #kept(): Kept | null {
    return this.flow.world.store.tab.read<Kept>(this.#name("gift-order"));
  }

  #keep(kept: Kept | null): void {
    this.flow.world.store.tab.write(this.#name("gift-order"), kept);
  }

  #forget(): void {
    this.#keep(null);
    this.gift = noGift;
    this.flow.world.store.tab.write(this.#name("gift"), null);
  }
}
