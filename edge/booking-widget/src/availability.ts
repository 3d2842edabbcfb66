/** What is free: a month's days, and the times of a day. Remembered for a minute. */
import type { Day, Slot } from "../../_shared/booking.ts";
import { refusalOf } from "./api.ts";
import { addDays, firstDay, lastDay } from "./dates.ts";
import type { Flow } from "./flow.ts";

const FRESH_MS = 60_000;

export class Availability {
  #cache = new Map<string, { readonly at: number; readonly answer: unknown }>();

  constructor(readonly flow: Flow) {}

  forget(): void {
    this.#cache.clear();
  }

  /** What is free for the room and the party that are chosen depends on both. */
  #key(date: string): string {
    const { roomId, partySize } = this.flow.state;
    return `${roomId} ${partySize} ${date}`;
  }

  knows(month: string): boolean {
    return this.#cache.has(this.#key(month));
  }

  async #remember<T>(date: string, ask: () => Promise<T>): Promise<T> {
    const { world } = this.flow;
    const key = this.#key(date);
    const known = this.#cache.get(key);
    if (known && world.now() - known.at < FRESH_MS) return known.answer as T;
    const answer = await ask();
    this.#cache.set(key, { at: world.now(), answer });
    return answer;
  }

  #request(from_date: string, to_date: string) {
    const { world, state: { roomId, partySize } } = this.flow;
    return {
      slug: world.slug,
      from_date,
      to_date,
      ...(roomId === null ? {} : { room_id: roomId }),
      party_size: partySize,
    };
  }

  /** The days of a month on which something is offered. */
  days(month: string): Promise<readonly Day[]> {
    const { choosing } = this.flow;
    const { to_date, ...request } = this.#request(
      choosing.clamp(firstDay(month)),
      choosing.clamp(lastDay(month)),
    );
    // All of them, however many answers it takes: each holds so many days as the database says.
    const ask = async (from_date: string, most: number): Promise<readonly Day[]> => {
      const last = addDays(from_date, most - 1);
      const until = last < to_date ? last : to_date;
      try {
        const first = await this.flow.world.api.getAvailabilityDays({
          ...request,
          from_date,
          to_date: until,
        });
        return until < to_date ? [...first, ...await ask(addDays(until, 1), most)] : first;
      } catch (error) {
        const { code, details: { days } } = refusalOf(error);
        const fewer = code === "too_many_slots" && typeof days === "number" && days >= 1 &&
          addDays(from_date, days - 1) < until;
        if (!fewer) throw error;
        return await ask(from_date, Math.floor(days));
      }
    };
    return this.#remember(month, () => ask(request.from_date, 31));
  }

  /** The times of a day; what is the same for each of them the calendar has told. */
  slots(day: string): Promise<readonly Slot[]> {
    const { flow } = this;
    const { calendar, step } = flow.state;
    return this.#remember(day, async () => {
      const times = await flow.world.api.getAvailability({
        ...this.#request(day, day),
        ...(calendar?.shows_taken_times && step === "choose" ? { include_taken: true } : {}),
      });
      return times.flatMap((time) => {
        const room = flow.roomOf(time.room_id);
        // A room that the calendar sells since it was asked is not shown yet.
        return room && calendar
          ? {
            ends_at: new Date(Date.parse(time.starts_at) + room.duration_minutes * 60_000).toJSON(),
            local_date: day,
            local_time: "",
            timezone: room.timezone,
            currency: calendar.currency,
            ...time,
          }
          : [];
      });
    });
  }
}
