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
  /** Of the waitlist's form. */
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

export class Trail {
  /** Where the browser has led the flow itself, no step is to be added. */
  #led = false;

  constructor(readonly flow: Flow, readonly past: Past) {}

  /** The mark that was left by this calendar, if the page was opened at one. */
  read(): Mark | null {
    const mark = this.past.read();
    return mark?.calendar === this.flow.world.slug ? mark : null;
  }

  #mark(depth: number): Mark {
    const { step, slot, roomId, partySize, waiting } = this.flow.state;
    const calendar = this.flow.world.slug;
    return {
      calendar,
      step,
      depth,
      roomId,
      partySize,
      ...(slot ? { slot } : {}),
      ...(step === "waitlist" && waiting ? { waiting } : {}),
    };
  }

  /** The step that is shown now is a step further. */
  push(): void {
    if (this.#led) return;
    const before = this.read();
    if (before?.step === this.flow.state.step) return this.replace();
    this.past.push(this.#mark((before?.depth ?? 0) + 1));
  }

  /** The step that is shown now stands in the place of the one before. */
  replace(): void {
    if (this.#led) return;
    this.past.replace(this.#mark(this.read()?.depth ?? 0));
  }

  /** One step back: by the history when the step before is in it, else to where one comes from. */
  async back(): Promise<void> {
    if ((this.read()?.depth ?? 0) > 0) return this.past.back();
    await this.#lead(parents[this.flow.state.step] ?? "choose", null);
  }

  /** The browser went to another entry: show what it was about, as far as that is still there. */
  async follow(): Promise<void> {
    const mark = this.read();
    await this.quietly(() => this.#lead(mark?.step ?? this.flow.base, mark));
  }

  /** Go somewhere without a trace: the entry for it is there. */
  async quietly(go: () => Promise<void>): Promise<void> {
    this.#led = true;
    try {
      await go();
    } finally {
      this.#led = false;
    }
  }

  async #lead(to: Step, mark: Mark | null): Promise<void> {
    const { flow } = this;
    const { step, busy } = flow.state;
    if (to === step || busy) return;
    if ((step === "pay" || step === "mailed") && flow.state.remaining > 0) {
      if (to === "details") return await flow.paying.backToDetails();
      if (to === "choose") return await flow.paying.release();
    }
    // It was asked for where a link led nowhere: back to where that is said.
    const lost = step === "lost" || step === "resent";
    if (lost && flow.state.month === "") return await flow.retry();
    switch (to) {
      case "choose":
        if (lost || step === "details" || step === "waitlist") return flow.choosing.backToChoose();
        return await flow.bookAnother();
      case "details":
        if (step === "choose" && mark?.slot) await flow.choosing.chooseSlot(mark.slot);
        return;
      case "move":
        if (step === "moveQuote") await flow.more?.moving.backToMove();
        return;
      case "booking":
        if (step === "move" || step === "moveQuote") return flow.more?.moving.leave();
        if (step === "waiver" || step === "signed") await flow.more?.waivers.leave();
    }
  }
}

const parents: Partial<Record<Step, Step>> = {
  pay: "details",
  move: "booking",
  moveQuote: "move",
  waiver: "booking",
};
