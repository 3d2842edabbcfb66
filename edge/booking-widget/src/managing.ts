/** Managing a booking by its link: see it, cancel it, come back to it. */
import type { Booking } from "../../_shared/booking.ts";
import { ApiError, refusalOf } from "./api.ts";
import { localDate, monthOf } from "./dates.ts";
import type { Flow } from "./flow.ts";
import type { Format } from "./format.ts";
import { moreText, type Step, type Text } from "./state.ts";
import type { MoreStrings } from "./strings_more.ts";
import type { Mark } from "./trail.ts";

const CONFIRM_LIMIT_MS = 60_000;
/** What was confirmed no longer ago was confirmed by what is done here. */
const JUST_MS = 60_000;

export class Managing {
  constructor(readonly flow: Flow) {}

  /** To a step that the browser names, from wherever its history leads there. */
  async lead(to: Step, mark: Mark | null): Promise<void> {
    const { flow } = this;
    const { step, booking, signing, calendar } = flow.state;
    const { moving, waivers, waitlist, resending, vouchers } = await flow.loadMore();
    if (to === "vouchers" || to === "voucher") return await vouchers.lead(to);
    const signs = step === "waiver" || step === "signed";
    const moves = step === "move" || step === "moveQuote";
    if (to === "booking" && booking) {
      if (moves) moving.leave();
      else if (signs) await waivers.leave();
    } else if (to === "move" && moves) await moving.backToMove();
    else if (to === "move" && step === "booking") await moving.start();
    else if (to === "moveQuote" && mark?.slot) {
      if (step === "move") await moving.quote(mark.slot);
      else if (step === "booking") await moving.resume(mark.slot, mark.partySize);
    } else if (to === "waiver" && (signs || step === "booking")) {
      const token = signing?.token ?? booking?.waiver?.token;
      if (token) await waivers.open(token);
    } else if (step === "choose" || step === "details") {
      if (to === "lost") resending.open();
      else if (mark?.waiting && calendar?.waitlist) waitlist.resume(mark.waiting, to);
    } else if (to === "lost" && step === "resent") resending.open();
  }

  enter(booking: Booking, fresh: boolean): void {
    const { flow } = this;
    flow.set({
      step: "booking",
      booking,
      fresh,
      asking: null,
      checkoutUrl: null,
      notice: null,
      focus: flow.focusOn("heading"),
    });
    flow.trail.replace();
  }

  /** Money is on its way: wait for it until the booking says that it has arrived, or that none comes. */
  async awaitPayment(booking: Booking): Promise<void> {
    const { flow } = this;
    const { api, now, wait } = flow.world;
    flow.set({ step: "confirming", booking, notice: null, focus: flow.focusOn("heading") });
    const until = now() + CONFIRM_LIMIT_MS;
    for (let pause = 500; now() < until && !flow.stopped; pause *= 1.4) {
      await wait(Math.min(pause, 4_000));
      try {
        const seen = await api.getBooking(flow.key(booking.reference));
        const paid = seen.paid_cents !== booking.paid_cents || booking.status !== "confirmed";
        if (!["held", "pending", "expired"].includes(seen.status) && paid) {
          return await flow.paying.enterPaid(seen);
        }
        if (seen.status === "expired" && !flow.paying.mayBePaid(seen)) {
          return await flow.paying.show(seen, null);
        }
        flow.set({ booking: seen });
      } catch {
        // The next look may succeed.
      }
    }
    flow.set({ step: "slow", focus: flow.focusOn("heading") });
  }

  /** The booking is held until the link in the mail about it is opened. */
  awaitMail(booking: Booking): void {
    const { flow } = this;
    const { step } = flow.state;
    flow.set({
      step: "mailed",
      booking,
      remaining: flow.clock.secondsLeft(booking),
      notice: null,
      focus: flow.focusOn("heading"),
    });
    flow.trail.push(step);
  }

  /** Whether the link has been opened, maybe on another device. */
  async lookForMail(): Promise<void> {
    const { flow } = this;
    flow.set({ notice: null });
    await flow.paying.checkAgain();
    if (flow.state.step !== "mailed" || flow.state.notice) return;
    flow.set({
      notice: { tone: "info", text: moreText((strings) => strings.notOpened) },
      focus: flow.focusOn("notice"),
    });
  }

  /** The link in the mail was opened. Opened again, it leads to the booking as it is by then. */
  async confirm(reference: string, confirmation_token: string): Promise<void> {
    const { flow } = this;
    const { api, store, slug } = flow.world;
    try {
      const { manage_token, ...booking } = await api.confirmBooking({
        reference,
        confirmation_token,
      });
      flow.clock.hear();
      flow.token = manage_token;
      store.save(reference, { token: manage_token, calendar: slug, skew: flow.clock.skew });
      const last = booking.history.at(-1);
      const fresh = last?.status === "confirmed" &&
        flow.clock.now() - Date.parse(last.occurred_at) < JUST_MS;
      await flow.enterBooking(booking, fresh);
    } catch (error) {
      if (refusalOf(error).code !== "confirmation_too_late") throw error;
      // Nothing is kept any more: here is what is free.
      await flow.bookAnother();
      if (flow.state.step === "choose") await flow.explain(error);
    }
  }

  /** Show what cancelling would give back, as it is now. */
  async askCancel(): Promise<void> {
    const { flow } = this;
    const { booking } = flow.state;
    if (!booking || flow.state.busy) return;
    flow.set({ busy: "check", notice: null });
    try {
      const now = await flow.world.api.getBooking(flow.key(booking.reference));
      flow.set({ busy: null, booking: now });
      if (now.cancellable) flow.set({ asking: "cancel", focus: flow.focusOn("question") });
      else throw new ApiError("not_cancellable", 409);
    } catch (error) {
      flow.set({ busy: null });
      await flow.explain(error);
    }
  }

  keep(): void {
    this.flow.set({ asking: null, focus: this.flow.focusOn("cancel") });
  }

  async confirmCancel(): Promise<void> {
    const { flow } = this;
    const { booking } = flow.state;
    if (!booking || flow.state.busy) return;
    const { refund_cents, disputed_cents } = booking.cancellation;
    flow.set({ busy: "cancel", notice: null });
    try {
      const now = await flow.world.api.cancelBooking(flow.key(booking.reference));
      flow.choosing.forget();
      flow.set({ busy: null, promisedCents: refund_cents - disputed_cents });
      this.enter(now, false);
      flow.emit("cancelled", now);
    } catch (error) {
      flow.set({ busy: null, asking: null });
      await flow.explain(error);
    }
  }

  /** `disputedCents`: what would have gone back with it, and waits for a bank. */
  moved(booking: Booking, disputedCents = 0): void {
    const { flow } = this;
    flow.choosing.forget();
    this.enter(booking, false);
    const waits = (strings: MoreStrings, format: Format) =>
      disputedCents > 0 &&
      strings.moveDisputed(format.money(disputedCents, booking.currency));
    const text: Text = (strings, format) =>
      [(strings as MoreStrings).moved, waits(strings as MoreStrings, format)].filter(Boolean)
        .join(" ");
    flow.set({ notice: { tone: "info", text } });
    flow.emit("rescheduled", booking);
  }

  /** The grid again, at the booking's own room, party and month. */
  async enterMove(booking: Booking): Promise<void> {
    const { flow } = this;
    const rooms = flow.state.calendar?.rooms ?? [];
    const room = flow.roomOf(booking.room_id) ?? rooms[0];
    if (!room) throw new ApiError("not_reschedulable", 409);
    const day = localDate(Date.parse(booking.starts_at), booking.timezone);
    flow.choosing.forget();
    flow.set({
      step: "move",
      slot: null,
      moveQuote: null,
      oldTotal: null,
      roomId: room.id,
      partySize: booking.party_size,
      day,
      focus: flow.focusOn("heading"),
    });
    flow.trail.push();
    flow.set({ partySize: flow.choosing.fitParty(booking.party_size) });
    // One moves to what is free: what is sold out is not shown here.
    flow.choosing.forget();
    const within = flow.choosing.clamp(day);
    flow.set({ focusDay: within, month: monthOf(within) });
    await flow.choosing.loadMonth();
  }

  async afterWaiver(): Promise<void> {
    const { flow } = this;
    const { booking } = flow.state;
    if (!booking) return await flow.bookAnother();
    try {
      this.enter(await flow.world.api.getBooking(flow.key(booking.reference)), false);
    } catch {
      this.enter(booking, false);
    }
  }
}
