/** Paying: the time is held, the money is on its way, and the booking says when it has arrived. */
import type { Booking, HeldBooking } from "../../_shared/booking.ts";
import { ApiError, refusalOf } from "./api.ts";
import type { Flow } from "./flow.ts";
import type { More } from "./more.ts";
import { dueNow, moreText, type Notice } from "./state.ts";

/** Codes of a payment page that will not open later either. */
const lastCodes = /^(not_payable|booking_not_found|amount_too_small|online_payment_unavailable)$/;
/** A window that is not gone after that is not going. */
const FORBIDDEN_MS = 5_000;
/** The booking is looked at again after so long, then ever more rarely. */
const LOOK_MS = 4_000;
const MOST_LOOKS = 60;
/** Two clocks that part by more than that did so at once. */
const SLEPT_MS = 5_000;

/** Whether the money is on its way or there, and the booking about to say so. */
function settling(booking: Booking): boolean {
  return booking.status === "pending" || (booking.due_now_cents > 0 && dueNow(booking) === 0);
}

export class Paying {
  #looks = 0;
  #lookAt = 0;
  /** By how much the visitor's own clock is ahead of the one that counts evenly. */
  #ahead = 0;

  constructor(readonly flow: Flow) {}

  /** A time is held for the visitor from now on. */
  took(held: Omit<HeldBooking, "manage_token">, token: string): void {
    const { flow } = this;
    flow.token = token;
    flow.clock.learn(held.hold_expires_at);
    this.#remember(held.reference);
    flow.choosing.forget();
  }

  async enter(booking: Booking, notice: Notice | null = null): Promise<void> {
    const { flow } = this;
    const { step } = flow.state;
    if (!await this.#more()) return;
    flow.set({
      step: "pay",
      booking,
      remaining: flow.clock.secondsLeft(booking),
      fresh: false,
      checkoutUrl: null,
      notice,
      focus: flow.focusOn("heading"),
    });
    flow.trail.push(step);
  }

  /** The second script, which shows what comes now; null, and said, where it cannot be loaded. */
  async #more(): Promise<More | null> {
    try {
      return await this.flow.loadMore();
    } catch (error) {
      this.flow.fail(error);
      return null;
    }
  }

  /**
   * A payment that was begun is paid elsewhere: in another tab, or in the window around a frame that
   * comes back without telling. The booking says when, and that a hold whose time seems over is.
   */
  async #look(booking: Booking, ended: boolean): Promise<void> {
    const { flow } = this;
    const { now, store } = flow.world;
    const begun = store.load(booking.reference)?.paid !== undefined && this.#looks < MOST_LOOKS;
    if (!(begun || ended) || now() < this.#lookAt) return;
    this.#lookAt = now() + LOOK_MS * (ended ? 1 : 1.03 ** this.#looks++);
    const seen = await flow.world.api.getBooking(flow.key(booking.reference)).catch(() => null);
    const { state } = flow;
    // What the visitor does meanwhile goes first.
    if (!seen || state.booking?.reference !== seen.reference || state.busy) return;
    if (state.step !== "slow" && seen.status === "held" && !settling(seen)) return this.#keep(seen);
    if (state.step !== "slow" || seen.status === "confirmed") await this.show(seen, "success");
  }

  /** The server has just said that the time is still kept, and what the time is. */
  #keep(booking: Booking): void {
    const { flow } = this;
    flow.clock.hear();
    flow.set({ booking, remaining: flow.clock.secondsLeft(booking) });
  }

  /** Called twice a second. */
  tick(): void {
    const { flow } = this;
    const { step, booking, remaining, busy } = flow.state;
    // The machine slept, and what counts evenly may have stood still.
    const ahead = flow.world.wallClock() - flow.world.now();
    const slept = Math.abs(ahead - this.#ahead) > SLEPT_MS;
    this.#ahead = ahead;
    const holds = step === "pay" || step === "mailed";
    if (!booking || !(holds || step === "slow")) return;
    const now = flow.clock.secondsLeft(booking);
    // The server knows best: a payment page that is open has made the hold longer.
    const ended = holds && now === 0 && booking.status === "held";
    if (slept) this.#lookAt = 0;
    if (!busy) void this.#look(booking, ended || slept);
    if (!holds || now === remaining) return;
    const spoken = step === "pay" && [300, 60, 30].find((mark) => now <= mark && remaining > mark);
    flow.set({
      remaining: now,
      ...(!spoken || now === 0 ? {} : {
        announcement: flow.say(
          moreText((strings) => strings.timeLeftSpoken(Math.floor(spoken / 60), spoken % 60)),
        ),
      }),
    });
  }

  /** `amount`: what is due now, or all of it at once, as the visitor chooses. */
  async pay(amount: "due" | "all" = "due"): Promise<void> {
    const { flow } = this;
    const { booking, busy, step } = flow.state;
    if (!booking || busy) return;
    if (step === "pay" && dueNow(booking) === 0) return await this.#accept(booking);
    flow.set({ busy: "pay", notice: null, checkoutUrl: null });
    this.#remember(booking.reference, booking.paid_cents);
    try {
      const { checkout_url } = await flow.world.api.checkout(
        flow.key(booking.reference),
        flow.world.returnUrl(),
        amount,
      );
      if (!/^https?:\/\//.test(checkout_url)) throw new ApiError("unexpected", 500);
      await this.leaveFor(checkout_url);
    } catch (error) {
      const { code } = refusalOf(error);
      // A page on an origin that the service does not allow is the owner's to find out.
      console.error(`escape-booking: the payment page was refused (${code})`);
      flow.set({ busy: null });
      const over = code === "nothing_due" || code === "not_payable";
      if (over && step === "pay") await this.checkAgain();
      if (flow.state.step !== step || flow.state.booking?.status === "expired") return;
      const passing = /^(network|rate_limited|checkout_\w+)$/.test(code);
      if (passing || (step === "pay" && lastCodes.test(code))) return await flow.explain(error);
      const text = moreText((strings) =>
        (step === "booking" ? strings.payAtVenue : strings.errors.payment_unavailable) ?? ""
      );
      flow.set({
        notice: { tone: "error", text },
        focus: flow.focusOn("notice"),
      });
    }
  }

  /**
   * The provider refuses to be framed, so its page takes the place of the whole window or gets a tab
   * of its own. Where the page around us forbids both, the visitor is given the link.
   */
  async leaveFor(url: string): Promise<void> {
    const { flow } = this;
    const way = flow.world.redirect(url);
    if (way === "here") return;
    if (way !== "top") return this.#offerLink(url, way === "tab");
    // Some browsers forbid it without a word.
    await flow.world.wait(FORBIDDEN_MS);
    if (flow.state.busy === "pay") this.#offerLink(url, false);
  }

  #offerLink(url: string, opened: boolean): void {
    const { flow } = this;
    const text = moreText((strings) => opened ? strings.paidElsewhere : strings.cannotLeave);
    flow.set({
      busy: null,
      checkoutUrl: url,
      notice: { tone: "info", text },
      focus: flow.focusOn("notice"),
    });
  }

  /** Take a place that the waitlist offers and nothing is due for. */
  async #accept(booking: Booking): Promise<void> {
    const { flow } = this;
    flow.set({ busy: "hold", notice: null });
    try {
      const taken = await flow.world.api.acceptOffer(flow.key(booking.reference));
      flow.set({ busy: null });
      await flow.enterBooking(taken, true);
    } catch (error) {
      flow.set({ busy: null });
      await this.checkAgain();
      await flow.explain(error);
    }
  }

  /** The page is shown again as the visitor left it for the payment page ("back"). */
  async comeBack(): Promise<void> {
    if (this.flow.state.busy !== "pay") return;
    this.flow.set({ busy: null });
    await this.checkAgain();
  }

  /** Give the held time back and look for another. */
  async release(): Promise<void> {
    if (await this.#giveBack()) await this.flow.bookAnother();
  }

  /** Give the held time back and go on changing the details. */
  async backToDetails(slot = this.flow.state.slot): Promise<void> {
    const { flow } = this;
    const held = flow.state.booking?.status === "held";
    if (!await this.#giveBack()) return;
    // What is asked there is the calendar's to say.
    if (!slot || !await flow.entering.dressed) return await flow.bookAnother();
    flow.forget();
    flow.set({ booking: null });
    await flow.choosing.chooseSlot(slot);
    if (!held || flow.state.step !== "details" || flow.state.notice) return;
    flow.set({ notice: { tone: "info", text: moreText((strings) => strings.givenBack) } });
  }

  async #giveBack(): Promise<boolean> {
    const { flow } = this;
    const { booking, busy } = flow.state;
    if (!booking || busy) return false;
    if (booking.status === "expired") return true;
    const { api } = flow.world;
    const key = flow.key(booking.reference);
    flow.set({ busy: "release" });
    try {
      const now = await api.getBooking(key);
      // It was paid meanwhile: that is not given back by going back.
      if (now.status !== "held" || settling(now)) {
        flow.set({ busy: null });
        await this.show(now, "success");
        return false;
      }
      await api.cancelBooking(key);
    } catch {
      // It lapses by itself.
    }
    flow.set({ busy: null });
    return true;
  }

  async checkAgain(): Promise<void> {
    const { flow } = this;
    const { booking, busy, step } = flow.state;
    if (!booking || busy) return;
    flow.set({ busy: "check" });
    try {
      const now = await flow.world.api.getBooking(flow.key(booking.reference));
      flow.set({ busy: null });
      if ((step === "pay" || step === "mailed") && now.status === "held" && !settling(now)) {
        return this.#keep(now);
      }
      const success = step === "slow" || flow.state.checkoutUrl ||
        (step === "mailed" && now.status === "confirmed");
      await this.show(now, success ? "success" : null);
    } catch (error) {
      flow.set({ busy: null, notice: flow.problem(error) });
    }
  }

  /** A booking, in the step where it is now. */
  async show(booking: Booking, payment: string | null): Promise<void> {
    const { flow } = this;
    if (booking.confirm_by_email) return await this.#awaitMail(booking);
    const waiting = booking.status === "held" || booking.status === "pending";
    const late = booking.status === "expired" && this.mayBePaid(booking);
    // More was paid for a booking that was confirmed before: the money shows when it is there.
    const more = payment === "success" && booking.status === "confirmed" &&
      booking.paid_cents === flow.world.store.load(booking.reference)?.paid;
    if ((waiting && (payment === "success" || settling(booking))) || late || more) {
      // The page reads the booking, not the redirect: it waits until the money has arrived.
      return await (await this.#more())?.managing.awaitPayment(booking);
    }
    if (waiting) {
      const notice: Notice = {
        tone: "info",
        text: moreText((strings) => strings.paymentCancelled),
      };
      return await this.enter(booking, payment === "cancelled" ? notice : null);
    }
    if (booking.status === "expired" && booking.paid_cents === 0) {
      flow.world.store.setOpen(flow.world.slug, null);
      return await this.enter(booking);
    }
    if (payment === "success") await this.enterPaid(booking);
    else await flow.enterBooking(booking, false);
  }

  /**
   * Whether money may be under way: the provider has sent the visitor back here from its page, or
   * has not told the server yet that nothing comes of it.
   */
  mayBePaid({ reference, payment_open }: Booking): boolean {
    const { entry } = this.flow.entering;
    return payment_open || (entry.payment === "success" && entry.reference === reference);
  }

  /** The first payment confirms a booking, what comes later only pays for it. */
  async enterPaid(booking: Booking): Promise<void> {
    const { flow } = this;
    const before = flow.world.store.load(booking.reference)?.paid ?? 0;
    const confirmed = booking.status === "confirmed";
    await flow.enterBooking(booking, confirmed && before === 0);
    if (confirmed && before > 0) {
      flow.set({ notice: { tone: "info", text: moreText((strings) => strings.paidText) } });
    }
  }

  /** Nothing is due, and the place is kept until the link in the mail is opened. */
  async #awaitMail(booking: Booking): Promise<void> {
    (await this.#more())?.managing.awaitMail(booking);
  }

  /** `paid`: what was paid when the visitor left for the payment page. */
  #remember(reference: string, paid?: number): void {
    const { token, clock: { skew }, state, world: { slug, store } } = this.flow;
    if (token) {
      const kept = { token, calendar: slug, skew };
      store.save(reference, paid === undefined ? kept : { ...kept, paid });
    }
    if (state.step !== "booking") store.setOpen(slug, reference);
  }
}
