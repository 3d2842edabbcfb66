/** The server's clock, which counts: the visitor's may be a day off, and set while the page is open. */
import type { Booking } from "../../_shared/booking.ts";
import type { Flow } from "./flow.ts";

/** Less than this is the way of the answer, and not another clock. */
const TOLERANCE_MS = 30_000;

type Held = Pick<Booking, "status" | "hold_expires_at">;

export class Clock {
  /** Milliseconds to add to what counts evenly here to get the server's time. */
  skew = 0;

  constructor(readonly flow: Flow) {}

  now(): number {
    return this.flow.world.now() + this.skew;
  }

  /** Set it by what the server says the time is, or by the date of its last answer. */
  hear(now?: string): void {
    const server = now ? Date.parse(now) : this.flow.world.api.serverTime?.() ?? NaN;
    if (!Number.isNaN(server)) this.#set(server);
  }

  /** A hold has just begun, so its end tells the time where nothing else does. */
  learn(holdExpiresAt: string | null): void {
    const { calendar } = this.flow.state;
    if (this.flow.world.api.serverTime?.() || this.skew !== 0) return;
    if (holdExpiresAt && calendar) {
      this.#set(Date.parse(holdExpiresAt) - calendar.hold_minutes * 60_000);
    }
  }

  #set(server: number): void {
    const skew = server - this.flow.world.now();
    this.skew = Math.abs(skew) > TOLERANCE_MS ? skew : 0;
  }

  secondsLeft({ status, hold_expires_at }: Held): number {
    if (status !== "held" || !hold_expires_at) return 0;
    return Math.max(0, Math.ceil((Date.parse(hold_expires_at) - this.now()) / 1000));
  }

  /** Whether an answer that came late tells of a hold that is over by now. */
  lapsed(held: Held): boolean {
    this.hear();
    return held.status === "expired" || (held.status === "held" && this.secondsLeft(held) === 0);
  }
}
