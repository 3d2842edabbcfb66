/** Paying a share of somebody's booking by its link, and what became of it. */
import type { Checkout, PaymentShare } from "../../_shared/booking.ts";
import { ApiError, refusalOf } from "./api.ts";
import type { Flow } from "./flow.ts";
import { moreText } from "./state.ts";

/** How long one looks whether the money has arrived, and how often while it is paid elsewhere. */
const CONFIRM_LIMIT_MS = 60_000;
const LOOK_MS = 4_000;
const MOST_LOOKS = 60;

export class Shares {
  share: PaymentShare | null = null;
  /** The payment is being looked for; it took longer than it mostly does. */
  waits: "shortly" | "long" | null = null;
  #reference = "";
  #token: string | null = null;

  constructor(readonly flow: Flow) {}

  /** Whether the share can be read here, or only by the link that its payer was sent. */
  get known(): boolean {
    return this.#token !== null;
  }

  get #key(): { readonly share_id: string; readonly share_token: string } {
    return { share_id: this.#reference.slice(6), share_token: this.#token ?? "" };
  }

  #read(): Promise<PaymentShare> {
    return this.flow.world.api.rpc<PaymentShare>("get_payment_share", this.#key);
  }

  /** By its link, or by the way back from its page. Raises what the database refuses. */
  async show(reference: string, token: string | null, payment: string | null): Promise<void> {
    const { flow } = this;
    const { store, slug, now, wait } = flow.world;
    flow.base = "share";
    this.#reference = reference;
    this.#token = token ?? store.load(reference)?.token ?? null;
    // A payment that came back to another browser.
    if (this.#token === null) return this.#set();
    store.save(reference, { token: this.#token, calendar: slug, skew: 0 });
    this.share = await this.#read();
    flow.clock.hear();
    if (payment !== "success" || this.share.status !== "open") return this.#seen(this.share);
    // The page reads the share, not the redirect: it waits until the money has arrived.
    this.waits = "shortly";
    this.#set();
    const until = now() + CONFIRM_LIMIT_MS;
    for (let pause = 500; now() < until && !flow.stopped; pause *= 1.4) {
      await wait(Math.min(pause, LOOK_MS));
      const seen = await this.#read().catch(() => null);
      if (seen && seen.status !== "open") return this.#seen(seen);
    }
    this.waits = "long";
    this.#set();
  }

  async pay(): Promise<void> {
    const { flow } = this;
    if (flow.state.busy) return;
    flow.set({ busy: "pay", notice: null, checkoutUrl: null });
    try {
      const { checkout_url } = await flow.world.api.serve<Checkout>("share-checkout", {
        ...this.#key,
        return_url: flow.world.returnUrl(),
      });
      if (!/^https?:\/\//.test(checkout_url)) throw new ApiError("unexpected", 500);
      await flow.paying.leaveFor(checkout_url);
    } catch (error) {
      const { code } = refusalOf(error);
      console.error(`escape-booking: the payment page was refused (${code})`);
      flow.set({ busy: null });
      // It was paid meanwhile, or its time is over: the share says so.
      if (/^(nothing_due|not_payable)$/.test(code)) return await this.look();
      const known = /^(network|rate_limited|checkout_\w+|online_payment_unavailable)$/.test(code);
      return await flow.explain(known ? error : new ApiError("voucher_unpaid", 0));
    }
    if (flow.state.checkoutUrl) await this.#watch();
  }

  /** It is paid elsewhere, in another tab: the share says when. */
  async #watch(): Promise<void> {
    const { flow } = this;
    const stands = () => !flow.stopped && flow.state.step === "share";
    for (let looks = 0; looks < MOST_LOOKS && stands(); looks++) {
      await flow.world.wait(LOOK_MS * 1.03 ** looks);
      const seen = await this.#read().catch(() => null);
      if (seen && seen.status !== "open" && stands()) return this.#seen(seen);
    }
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
      if (this.waits === null || seen.status !== "open") return this.#seen(seen);
      flow.set({ announcement: flow.say(moreText((strings) => strings.slowTitle)) });
    } catch (error) {
      flow.set({ busy: null });
      await flow.explain(error);
    }
  }

  #seen(share: PaymentShare): void {
    this.share = share;
    this.waits = null;
    this.flow.set({ busy: null, notice: null, checkoutUrl: null });
    this.#set();
  }

  #set(): void {
    const { flow } = this;
    flow.set({ step: "share", focus: flow.focusOn("heading") });
    flow.trail.replace();
  }
}
