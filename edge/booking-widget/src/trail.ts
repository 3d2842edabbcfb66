/**
 * The visitor's steps as entries of the page's history, so that "back" is a step back and a reload
 * shows the same step. What an entry says of a step is kept beside whatever the page keeps there.
 */
import type { Slot } from "../../_shared/booking.ts";
import type { Flow } from "./flow.ts";
import type { Step, Waiting } from "./state.ts";

export interface Mark {
  /** A page may hold several calendars; each follows its own marks. */
  readonly calendar: string;
  readonly step: Step;
  /** How many steps of this calendar lie before it. */
  readonly depth: number;
  readonly slot?: Slot;
  readonly roomId?: string | null;
  readonly partySize?: number;
  /** The day that is looked at. */
  readonly day?: string | null;
  /** Of the waitlist: what is asked for, or was. */
  readonly waiting?: Waiting;
}

/** The history of the window, or anything that is like it. */
export interface Past {
  /** The mark of the present entry. */
  read(): Mark | null;
  push(mark: Mark): void;
  replace(mark: Mark): void;
  back(): void;
}

/** Steps that come and go by themselves, or where nothing could be shown: no entry is about them. */
const passing = /^(loading|failed|confirming|slow|elsewhere)$/;

export class Trail {
  /** Where the browser has led the flow itself, no step is to be added. */
  #led = false;
  /** The browser went on while something was being done: it is followed once that is done. */
  #missed = false;
  /** How many steps lie before what is shown. */
  #depth: number;

  constructor(readonly flow: Flow, readonly past: Past) {
    this.#depth = this.read()?.depth ?? 0;
  }

  /** The mark that was left by this calendar, if the page was opened at one. */
  read(): Mark | null {
    const mark = this.past.read();
    return mark?.calendar === this.flow.world.slug ? mark : null;
  }

  #mark(depth: number): Mark {
    const { step, slot, roomId, partySize, day, waiting } = this.flow.state;
    const calendar = this.flow.world.slug;
    this.#depth = depth;
    return {
      calendar,
      step,
      depth,
      roomId,
      partySize,
      day,
      ...(slot ? { slot } : {}),
      ...(/^(wait|lea|lef)/.test(step) && waiting ? { waiting } : {}),
    };
  }

  /** The step that is shown now is a step further; the first of all is where the page was opened. */
  push(from?: Step): void {
    if (this.#led) return;
    const before = this.read();
    if (before?.step === this.flow.state.step || from === "loading") return this.replace();
    // An entry without a mark is the page's own.
    const { world: { slug: calendar }, base: step } = this.flow;
    if (!this.past.read()) this.past.replace({ calendar, step, depth: 0 });
    this.past.push(this.#mark((before?.depth ?? 0) + 1));
  }

  /** The step that is shown now stands in the place of the one before. */
  replace(): void {
    if (!this.#led) this.past.replace(this.#mark(this.read()?.depth ?? 0));
  }

  /** One step back: by the history when the step before is in it, else to where one comes from. */
  async back(): Promise<void> {
    if ((this.read()?.depth ?? 0) > 0) return this.past.back();
    if (this.flow.state.busy) return;
    await this.#lead(parents[this.flow.state.step] ?? "choose", null);
    this.#settle();
  }

  /** The browser went to another entry: show what it was about, as far as that is still there. */
  async follow(): Promise<void> {
    this.#missed = this.#led || this.flow.state.busy !== null;
    if (this.#missed) return;
    // A link to a place on the page made an entry of its own, which is about what is shown.
    if (!this.past.read() && this.flow.state.step !== this.flow.base) return this.replace();
    await this.quietly(() => this.resume());
  }

  /** Nothing is being done any more. */
  idle(): void {
    if (this.#missed) void this.follow();
  }

  /** Show what the present entry is about. */
  async resume(): Promise<void> {
    const mark = this.read();
    await this.#lead(mark?.step ?? this.flow.base, mark);
    if (!this.#missed) this.#settle();
  }

  /** The entry is about what is shown, whatever it was about before. */
  #settle(): void {
    const { state: { step }, base } = this.flow;
    const mark = this.read();
    const depth = mark?.depth ?? 0;
    if (passing.test(step)) return;
    if ((mark?.step ?? base) === step) this.#depth = depth;
    // Further on lies what is over, such as a payment whose time was given back.
    else if (depth > this.#depth) this.past.back();
    else this.past.replace(this.#mark(depth));
  }

  /** Go somewhere without a trace: the entry for it is there. */
  async quietly(go: () => Promise<void>): Promise<void> {
    this.#led = true;
    try {
      await go();
    } finally {
      this.#led = false;
      this.idle();
    }
  }

  async #lead(to: Step, mark: Mark | null): Promise<void> {
    const { flow } = this;
    const { step, month } = flow.state;
    if (to === step) return;
    if (step === "pay" || step === "mailed") {
      if (to === "details") return await flow.paying.backToDetails(mark?.slot);
      if (to === "choose") return await flow.paying.release();
    }
    // It was asked for where a link led nowhere: back to where that is said.
    const lost = step === "lost" || step === "resent";
    if (lost && month === "") return await flow.retry();
    const form = lost || step === "details" || step === "waitlist" || step === "waiting";
    switch (to) {
      case "choose":
        return form ? flow.choosing.backToChoose() : await flow.bookAnother();
      case "details":
        if ((form || step === "choose") && mark?.slot) {
          return await flow.choosing.chooseSlot(mark.slot);
        }
        return await flow.bookAnother();
      default:
        await flow.more?.managing.lead(to, mark);
    }
  }
}

const parents: Partial<Record<Step, Step>> = {
  pay: "details",
  move: "booking",
  moveQuote: "move",
  waiver: "booking",
};
