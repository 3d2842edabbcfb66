/** Moving a booking: another time, room or party, with what it costs asked before it is done. */
import type { Booking, Slot } from "../../_shared/booking.ts";
import { ApiError, type RescheduleRequest } from "./api.ts";
import { Attempt, type Inside } from "./world.ts";

/** Codes after which there is nothing left to choose. */
const overCodes = new Set(["not_reschedulable", "booking_not_found", "not_cancellable"]);

export class Moving {
  #attempt: Attempt;

  constructor(
    readonly inside: Inside,
    /** Show the grid at this booking, with these changes. */
    readonly choose: (booking: Booking) => Promise<void>,
    /** Show what is free again, with the reason why. */
    readonly lookAgain: (error: unknown) => Promise<void>,
    readonly done: (booking: Booking) => void,
  ) {
    this.#attempt = new Attempt(() => inside.world.newKey());
  }

  async start(): Promise<void> {
    const { inside } = this;
    const { booking, busy } = inside.state();
    if (!booking || busy) return;
    inside.set({ busy: "move", notice: null, asking: null });
    try {
      const { world } = inside;
      const calendar = inside.state().calendar ?? await world.api.getCalendar(world.slug);
      inside.set({ busy: null, calendar });
      await this.choose(booking);
    } catch (error) {
      inside.set({
        busy: null,
        notice: inside.problem(error),
        focus: inside.focusOn("notice"),
      });
    }
  }

  /** Keep the time that the booking has, for another number of players. */
  async keepTime(): Promise<void> {
    const { booking } = this.inside.state();
    if (!booking) return;
    await this.quote({
      room_id: booking.room_id,
      starts_at: booking.starts_at,
      ends_at: booking.ends_at,
      local_date: "",
      local_time: "",
      timezone: booking.timezone,
      seats_available: 0,
      price_cents: 0,
      currency: booking.currency,
    });
  }

  async quote(slot: Slot): Promise<void> {
    const { inside } = this;
    inside.set({ slot, step: "moveQuote", moveQuote: null, oldTotal: null, notice: null });
    inside.set({ focus: inside.focusOn("heading") });
    await this.#quote();
  }

  async #quote(): Promise<void> {
    const { inside } = this;
    const request = this.#request();
    if (!request) return;
    try {
      const moveQuote = await inside.world.api.quoteReschedule(request);
      if (inside.state().slot?.starts_at === request.starts_at) inside.set({ moveQuote });
    } catch (error) {
      await this.#refused(error);
    }
  }

  #request(): RescheduleRequest | null {
    const { booking, slot, partySize } = this.inside.state();
    if (!booking || !slot) return null;
    return {
      ...this.inside.key(booking.reference),
      starts_at: slot.starts_at,
      room_id: slot.room_id,
      party_size: partySize,
    };
  }

  async confirm(): Promise<void> {
    const { inside } = this;
    const { moveQuote, busy, booking } = inside.state();
    const request = this.#request();
    if (!moveQuote || !request || !booking || busy) return;
    const full = { ...request, expected_total_cents: moveQuote.total_cents };
    inside.set({ busy: "move", notice: null });
    try {
      const { api } = inside.world;
      await api.reschedule({ ...full, idempotency_key: this.#attempt.key(full) });
      this.#attempt.done();
      const moved = await api.getBooking(inside.key(booking.reference));
      inside.set({ busy: null, slot: null, moveQuote: null, oldTotal: null });
      this.done(moved);
    } catch (error) {
      inside.set({ busy: null });
      await this.#refused(error);
    }
  }

  async #refused(error: unknown): Promise<void> {
    const { inside } = this;
    const code = error instanceof ApiError ? error.code : "unexpected";
    const notice = inside.problem(error);
    const { moveQuote } = inside.state();
    if (overCodes.has(code)) {
      inside.set({
        step: "booking",
        slot: null,
        moveQuote: null,
        notice,
        focus: inside.focusOn("notice"),
      });
    } else if (code === "total_changed" && moveQuote) {
      inside.set({ moveQuote: null });
      await this.#quote();
      inside.set({ oldTotal: moveQuote.total_cents, focus: inside.focusOn("notice") });
    } else if (moveQuote && ["network", "unexpected", "rate_limited"].includes(code)) {
      // The same attempt may be made again.
      inside.set({ notice, focus: inside.focusOn("notice") });
    } else {
      this.#attempt.done();
      inside.set({ slot: null, moveQuote: null });
      await this.lookAgain(error);
    }
  }

  leave(): void {
    const { inside } = this;
    inside.set({
      step: "booking",
      slot: null,
      moveQuote: null,
      notice: null,
      focus: inside.focusOn("heading"),
    });
  }
}
