/** What is free, month by month, remembered for a minute. */
import type { Slot } from "../../_shared/booking.ts";
import { type AvailabilityRequest, refusalOf } from "./api.ts";
import { addDays, firstDay, lastDay, monthOf } from "./dates.ts";
import type { Flow } from "./flow.ts";

const FRESH_MS = 60_000;

export class Availability {
  #cache = new Map<string, { readonly at: number; readonly slots: readonly Slot[] }>();

  constructor(readonly flow: Flow) {}

  forget(): void {
    this.#cache.clear();
  }

  /** What is free for the room and the party that are chosen depends on both. */
  #key(month: string): string {
    const { roomId, partySize } = this.flow.state;
    return `${roomId} ${partySize} ${month}`;
  }

  knows(month: string): boolean {
    return this.#cache.has(this.#key(month));
  }

  async slots(month: string): Promise<readonly Slot[]> {
    const cached = this.#cache.get(this.#key(month));
    if (cached && this.flow.world.now() - cached.at < FRESH_MS) return cached.slots;
    return await this.months([month]);
  }

  /** All of it, however many answers it takes: each holds so many days as the database says. */
  async #ask(request: AvailabilityRequest, most = Infinity): Promise<readonly Slot[]> {
    const { from_date, to_date } = request;
    const until = most === Infinity ? to_date : addDays(from_date, most - 1);
    if (until < to_date) {
      const first = await this.#ask({ ...request, to_date: until }, most);
      return [...first, ...await this.#ask({ ...request, from_date: addDays(until, 1) }, most)];
    }
    try {
      return await this.flow.world.api.getAvailability(request);
    } catch (error) {
      const { code, details: { days } } = refusalOf(error);
      const fewer = code === "too_many_slots" && typeof days === "number" && days >= 1 &&
        addDays(from_date, days - 1) < to_date;
      if (!fewer) throw error;
      return await this.#ask(request, Math.floor(days));
    }
  }

  /** Some months, one after the other, by one question. */
  async months(months: readonly string[]): Promise<readonly Slot[]> {
    const { world, choosing, state } = this.flow;
    const { calendar, roomId, partySize } = state;
    const keys = months.map((month) => this.#key(month));
    const slots = await this.#ask({
      slug: world.slug,
      from_date: choosing.clamp(firstDay(months[0]!)),
      to_date: choosing.clamp(lastDay(months.at(-1)!)),
      ...(roomId === null ? {} : { room_id: roomId }),
      party_size: partySize,
      ...(calendar?.waitlist || calendar?.shows_taken_times ? { include_taken: true } : {}),
    });
    months.forEach((month, index) =>
      this.#cache.set(keys[index]!, {
        at: world.now(),
        slots: slots.filter((slot) => monthOf(slot.local_date) === month),
      })
    );
    return slots;
  }
}
