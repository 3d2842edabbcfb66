/** Moving a booking: another time, room or party, with what it costs asked before it is done. */
import type { Slot } from "../../_shared/booking.ts";
import { refusalOf, type RescheduleRequest } from "./api.ts";
import type { Flow } from "./flow.ts";
import type { Managing } from "./managing.ts";
import { Attempt } from "./world.ts";

/** Codes after which there is nothing left to choose. */
const overCodes = new Set(["not_reschedulable", "booking_not_found", "not_cancellable"]);

export class Moving {
  #attempt: Attempt;

  constructor(readonly flow: Flow, readonly managing: Managing) {
    this.#attempt = new Attempt(() => flow.world.newKey());
  }

  async start(): Promise<void> {
    const { flow } = this;
    const { booking, busy } = flow.state;
    if (!booking || busy) return;
    flow.set({ busy: "move", notice: null, asking: null });
    try {
      const { world } = flow;
      const calendar = flow.state.calendar ?? await world.api.getCalendar(world.slug);
      flow.set({ busy: null, calendar });
      await this.managing.enterMove(booking);
    } catch (error) {
      flow.set({ busy: null });
      await flow.explain(error);
    }
  }

  /** Ask for the price that was shown before a reload. */
  async resume(slot: Slot, partySize = this.flow.state.partySize): Promise<void> {
    const { flow } = this;
    await this.start();
    if (flow.state.step !== "move") return;
    flow.set({ partySize: flow.choosing.fitParty(partySize) });
    await this.quote(slot);
  }

  /** Keep the time that the booking has, for another number of players. */
  async keepTime(): Promise<void> {
    const { booking } = this.flow.state;
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
      is_empty: false,
    });
  }

  async quote(slot: Slot): Promise<void> {
    const { flow } = this;
    flow.set({ slot, step: "moveQuote", moveQuote: null, notice: null });
    flow.set({ oldTotal: null, oldTerms: null });
    flow.set({ focus: flow.focusOn("heading") });
    flow.trail.push();
    await this.#quote();
  }

  async #quote(): Promise<void> {
    const { flow } = this;
    const request = this.#request();
    if (!request) return;
    try {
      const moveQuote = await flow.world.api.quoteReschedule(request);
      if (flow.state.slot?.starts_at !== request.starts_at) return;
      flow.set({ moveQuote });
      this.#compare(request, moveQuote.total_cents);
    } catch (error) {
      await this.#refused(error);
    }
  }

  /** A price that is another than was shown of the same change, before a reload, is said to be. */
  #compare({ reference, manage_token: _, ...what }: RescheduleRequest, total: number): void {
    const { flow } = this;
    const { store } = flow.world;
    const of = JSON.stringify(what);
    const kept = store.load(reference);
    if (kept?.move?.of === of && kept.move.total !== total) {
      flow.set({ oldTotal: kept.move.total, focus: flow.focusOn("notice") });
    }
    if (kept) store.save(reference, { ...kept, move: { of, total } });
  }

  #request(): RescheduleRequest | null {
    const { booking, slot, partySize } = this.flow.state;
    if (!booking || !slot) return null;
    return {
      ...this.flow.key(booking.reference),
      starts_at: slot.starts_at,
      room_id: slot.room_id,
      party_size: partySize,
    };
  }

  async confirm(): Promise<void> {
    const { flow } = this;
    const { moveQuote, busy, booking } = flow.state;
    const request = this.#request();
    if (!moveQuote || !request || !booking || busy) return;
    const full = {
      ...request,
      expected_total_cents: moveQuote.total_cents,
      expected_terms: moveQuote.terms,
    };
    flow.set({ busy: "move", notice: null });
    try {
      const { api } = flow.world;
      await api.reschedule({ ...full, idempotency_key: this.#attempt.key(full) });
      this.#attempt.done();
      const moved = await api.getBooking(flow.key(booking.reference));
      flow.set({ busy: null, slot: null, moveQuote: null, oldTotal: null });
      this.managing.moved(moved, moveQuote.disputed_cents);
    } catch (error) {
      flow.set({ busy: null });
      await this.#refused(error);
    }
  }

  async #refused(error: unknown): Promise<void> {
    const { flow } = this;
    const { code, lost } = refusalOf(error);
    const notice = flow.problem(error);
    const { moveQuote } = flow.state;
    if (overCodes.has(code)) {
      flow.set({
        step: "booking",
        slot: null,
        moveQuote: null,
        notice,
        focus: flow.focusOn("notice"),
      });
      flow.trail.replace();
    } else if (code === "total_changed" && moveQuote) {
      flow.set({ moveQuote: null });
      await this.#quote();
      const { total_cents: oldTotal, terms: oldTerms } = moveQuote;
      flow.set({ oldTotal, oldTerms, focus: flow.focusOn("notice") });
    } else if (code === "terms_changed" && moveQuote) {
      flow.set({ moveQuote: null });
      await this.#quote();
      flow.set({ oldTerms: moveQuote.terms, notice, focus: flow.focusOn("notice") });
    } else if (moveQuote && (lost || code === "unexpected" || code === "rate_limited")) {
      // The same attempt may be made again.
      flow.set({ notice, focus: flow.focusOn("notice") });
    } else {
      this.#attempt.done();
      flow.set({ slot: null, moveQuote: null });
      await flow.choosing.lookAgain(error, "move");
    }
  }

  leave(): void {
    const { flow } = this;
    flow.set({
      step: "booking",
      slot: null,
      moveQuote: null,
      notice: null,
      focus: flow.focusOn("heading"),
    });
    flow.trail.replace();
  }

  /** Back from the price of a move to the grid. */
  async backToMove(): Promise<void> {
    const { flow } = this;
    const focus = flow.focusOn("heading");
    flow.set({ step: "move", slot: null, moveQuote: null, notice: null, focus });
    flow.trail.replace();
    await flow.choosing.loadMonth();
  }
}
