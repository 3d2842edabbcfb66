/** Choosing: which room, how many players, which day, which time. */
import type { Day, Slot } from "../../_shared/booking.ts";
import { Availability } from "./availability.ts";
import { addMonths, firstDay, inMonth, lastDay, monthOf } from "./dates.ts";
import type { Flow } from "./flow.ts";
import type { Text } from "./state.ts";
import { fitWishes } from "./wishes.ts";

/** How long to wait before what could not be loaded is asked for again, each time. */
const PATIENCE_MS = [3_000, 12_000];

/** `kept`: the chosen day stays; `quiet`: besides, nothing is said. */
type Manner = "kept" | "quiet";

const isFree = (day: Day | undefined): boolean => day !== undefined && day.free > 0;

export class Choosing {
  readonly #free: Availability;
  #search = 0;
  /** Whether the notice that is shown is about what could not be loaded. */
  #lost = false;

  constructor(readonly flow: Flow) {
    this.#free = new Availability(flow);
  }

  /** What is free has changed: nothing that is remembered counts any more. */
  forget(): void {
    this.#free.forget();
  }

  // ---- room and party ----

  async selectRoom(roomId: string): Promise<void> {
    const { flow } = this;
    if (roomId === flow.state.roomId || !flow.roomOf(roomId)) return;
    flow.set({ roomId, notice: null });
    flow.set({ partySize: this.fitParty(flow.state.partySize) });
    await this.loadMonth();
  }

  async setPartySize(partySize: number): Promise<void> {
    const { flow } = this;
    if (this.fitParty(partySize) !== partySize) return;
    flow.set({ partySize, notice: null });
    // On the waitlist nothing is looked up.
    if (flow.state.step === "waitlist") return flow.trail.replace();
    // Somebody who taps "more" four times asks once.
    const search = ++this.#search;
    await flow.world.wait(200);
    if (search === this.#search) await this.loadMonth();
  }

  fitParty(partySize: number): number {
    const { minimum, maximum } = this.flow.party;
    return Math.min(Math.max(partySize, minimum), maximum);
  }

  // ---- month and day ----

  canShow(month: string): boolean {
    const { first, last } = this.flow.range;
    return month >= monthOf(first) && month <= monthOf(last);
  }

  async showMonth(month: string): Promise<void> {
    const { flow } = this;
    if (!this.canShow(month)) return;
    flow.set({ month, day: null, focusDay: this.clamp(inMonth(flow.state.focusDay, month)) });
    await this.loadMonth();
  }

  /** Move the keyboard's day, into another month when it leads there. */
  async moveFocus(day: string): Promise<void> {
    const { flow } = this;
    const focusDay = this.clamp(day);
    const month = monthOf(focusDay);
    const turned = month !== flow.state.month;
    flow.set({ focusDay, month, focus: flow.focusOn(`day-${focusDay}`) });
    if (turned) await this.loadMonth();
  }

  dayOf(date: string | null): Day | undefined {
    return this.flow.state.days?.find((day) => day.local_date === date);
  }

  /** Whether choosing the day leads anywhere: to times, or to the waitlist. */
  canSelect(date: string): boolean {
    const { step, calendar } = this.flow.state;
    const day = this.dayOf(date);
    return isFree(day) || this.canWaitFor(date) ||
      (day !== undefined && step === "choose" && calendar?.shows_taken_times === true);
  }

  /** Whether something that is taken on a day, or in the shown month, could become free. */
  canWaitFor(date: string): boolean {
    const { step, days, calendar } = this.flow.state;
    return step === "choose" && days !== null && calendar?.waitlist === true &&
      days.some((day) => day.taken > 0 && day.local_date.startsWith(date));
  }

  async selectDay(day: string): Promise<void> {
    const { flow } = this;
    const { month, days } = flow.state;
    if (!days || !this.canSelect(day)) return;
    const times = this.dayOf(day)?.free ?? 0;
    flow.set({
      day,
      focusDay: day,
      slots: null,
      notice: null,
      announcement: flow.say((strings, format) =>
        `${format.day(day)}: ${times > 0 ? strings.dayFree(times) : strings.dayFull}`
      ),
    });
    await this.#look(() => Promise.resolve({ month, days }), "quiet");
  }

  /** Look at month after month until one has something free. */
  async findNextFree(): Promise<void> {
    const { flow } = this;
    const search = ++this.#search;
    flow.set({ busy: "search" });
    try {
      for (let month = flow.state.month; this.canShow(month); month = addMonths(month, 1)) {
        const days = await this.#free.days(month);
        if (search !== this.#search) return;
        if (days.some(isFree)) {
          flow.set({ month, busy: null });
          this.#showDays(days);
          flow.set({ focus: flow.focusOn(`day-${flow.state.focusDay}`) });
          return await this.#loadTimes(search);
        }
      }
      const { last } = flow.range;
      const text: Text = (strings, format) => strings.searchNone(format.day(last));
      flow.set({ busy: null, notice: { tone: "info", text }, focus: flow.focusOn("notice") });
    } catch (error) {
      if (search === this.#search) flow.set({ busy: null, notice: flow.problem(error) });
    }
  }

  // ---- the time ----

  /** Take a time and go on to the details; the price is asked for meanwhile. */
  async chooseSlot(slot: Slot): Promise<void> {
    const { flow } = this;
    if (flow.state.step === "move") return await flow.more?.moving.quote(slot);
    // A page that was opened at a booking has not shown the calendar yet.
    if (flow.state.month === "") this.at(slot.local_date);
    flow.set({
      step: "details",
      slot,
      wishes: fitWishes(flow.state.wishes, flow.roomOf(slot.room_id), slot),
      quote: null,
      oldTotal: null,
      oldTerms: null,
      fieldErrors: {},
      codeProblem: null,
      notice: null,
      focus: flow.focusOn("heading"),
    });
    flow.trail.push();
    // What comes after the details is fetched while the visitor types.
    void flow.prepareMore();
    await flow.pricing.requote();
  }

  backToChoose(): void {
    const { flow } = this;
    flow.pricing.drop();
    flow.set({
      step: "choose",
      slot: null,
      quote: null,
      pricing: false,
      oldTotal: null,
      waiting: null,
      fieldErrors: {},
      notice: null,
      focus: flow.focusOn("heading"),
    });
    flow.trail.replace();
    void this.loadMonth("kept");
  }

  /** Back to what is free, with the reason why. */
  async lookAgain(error: unknown, step: "choose" | "move"): Promise<void> {
    const { flow } = this;
    this.#free.forget();
    flow.set({
      step,
      slot: null,
      quote: null,
      pricing: false,
      oldTotal: null,
      notice: flow.problem(error),
      focus: flow.focusOn("notice"),
    });
    flow.trail.replace();
    await this.loadMonth();
  }

  /** Ask to be told when something becomes free: a time, the chosen day, or the shown month. */
  async openWaitlist(slot: Slot | null = null): Promise<void> {
    const { day, month, days } = this.flow.state;
    const whole = slot === null && (day === null || !days?.some(isFree));
    const from = slot?.local_date ?? (whole ? firstDay(month) : day);
    const to = slot?.local_date ?? (whole ? lastDay(month) : day);
    await this.flow.withMore((more) =>
      more.waitlist.open(this.clamp(from!), this.clamp(to!), slot)
    );
  }

  // ---- what is free ----

  /** The first look; the page may name the day that it is about. */
  async firstMonth(day?: string): Promise<void> {
    const { flow } = this;
    const { first } = flow.range;
    this.#free.forget();
    this.at(day ?? first);
    flow.set({ days: null, slots: null });
    if (day) return await this.loadMonth("kept");
    flow.set({ day: null });
    // Late in a month what is free is often in the next.
    await this.#look(async () => {
      const month = monthOf(first);
      const days = await this.#free.days(month);
      const next = addMonths(month, 1);
      if (days.some(isFree) || !this.canShow(next)) return { month, days };
      const later = await this.#free.days(next);
      return later.some(isFree) ? { month: next, days: later } : { month, days };
    });
  }

  /** Look at a day, without asking what is free. */
  at(wished: string): void {
    const day = this.clamp(wished);
    this.flow.set({ month: monthOf(day), focusDay: day, day });
  }

  async loadMonth(manner?: Manner): Promise<void> {
    const { flow } = this;
    const { month } = flow.state;
    if (!this.#free.knows(month)) flow.set({ days: null, slots: null });
    await this.#look(async () => ({ month, days: await this.#free.days(month) }), manner);
  }

  /**
   * Show what a question brings, unless another has been asked since. A failure is said as one, and
   * is not the same as nothing free: it is tried again by itself, at most twice.
   */
  async #look(
    ask: () => Promise<{ readonly month: string; readonly days: readonly Day[] }>,
    manner?: Manner,
  ): Promise<void> {
    const { flow } = this;
    const search = ++this.#search;
    flow.set({ unreachable: false });
    for (const pause of [...PATIENCE_MS, 0]) {
      try {
        const { month, days } = await ask();
        if (search !== this.#search) return;
        flow.set({ month });
        this.#showDays(days, manner);
        await this.#loadTimes(search);
        if (search !== this.#search) return;
        flow.set({ unreachable: false, ...(this.#lost ? { notice: null } : {}) });
        this.#lost = false;
        return;
      } catch (error) {
        if (search !== this.#search) return;
        const lost = flow.isTransient(error);
        this.#lost = true;
        // What is shown already stays, when it was only looked at again.
        const kept = manner === "quiet" && flow.state.slots !== null;
        flow.set({ notice: flow.problem(error), unreachable: !kept });
        if (!lost || pause === 0) return;
      }
      await flow.world.wait(pause);
      if (search !== this.#search || flow.stopped) return;
    }
  }

  /** Show a month; the first day that has something free is chosen unless another was. */
  #showDays(days: readonly Day[], manner?: Manner): void {
    const { flow } = this;
    flow.set({ days });
    const free = days.filter(isFree);
    const { day, month, focusDay } = flow.state;
    // A full day that was chosen stays chosen as long as it leads anywhere.
    const kept = day !== null && (isFree(this.dayOf(day)) || (manner && this.canSelect(day)))
      ? day
      : free[0]?.local_date ?? null;
    if (manner !== "quiet" || kept !== day) flow.set({ slots: null });
    const inside = monthOf(focusDay) === month && flow.state.focus?.target === `day-${focusDay}`;
    flow.set({
      day: kept,
      // The keyboard's day stays where the visitor put it.
      focusDay: inside ? focusDay : kept ?? this.clamp(firstDay(month)),
    });
    if (manner === "quiet") return;
    flow.set({
      announcement: flow.say((strings, format) =>
        free.length > 0
          ? strings.monthFree(format.month(month), free.length)
          : strings.monthFull(format.month(month))
      ),
    });
  }

  /** Show the times of the chosen day, unless another question has been asked since. */
  async #loadTimes(search: number): Promise<void> {
    const { flow } = this;
    const { day } = flow.state;
    const slots = day === null ? [] : await this.#free.slots(day);
    if (search === this.#search) flow.set({ slots });
  }

  clamp(day: string): string {
    const { first, last } = this.flow.range;
    return day < first ? first : day > last ? last : day;
  }
}
