/** Choosing: which room, how many players, which day, which time. */
import type { Slot } from "../../_shared/booking.ts";
import { Availability } from "./availability.ts";
import { addMonths, firstDay, inMonth, lastDay, monthOf } from "./dates.ts";
import type { Flow } from "./flow.ts";
import type { Text } from "./state.ts";
import { fitWishes } from "./wishes.ts";

/** How long to wait before what could not be loaded is asked for again, each time. */
const PATIENCE_MS = [3_000, 12_000];

/** `kept`: the chosen day stays; `quiet`: besides, nothing is said. */
type Manner = "kept" | "quiet";

export class Choosing {
  readonly #free: Availability;
  #byDay = new WeakMap<readonly Slot[], Map<string, Slot[]>>();
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

  /** Whether choosing the day leads anywhere: to times, or to the waitlist. */
  canSelect(day: string): boolean {
    return this.slotsOn(day).length > 0 || this.canWaitFor(day) || this.takenOn(day).length > 0;
  }

  /** Whether something that is taken on a day, or in the shown month, could become free. */
  canWaitFor(date: string): boolean {
    const { step, slots, taken, calendar } = this.flow.state;
    return step === "choose" && slots !== null && calendar?.waitlist === true &&
      taken.some((slot) => slot.local_date.startsWith(date));
  }

  selectDay(day: string): void {
    const { flow } = this;
    if (!this.canSelect(day)) return;
    const times = this.slotsOn(day).length;
    flow.set({
      day,
      focusDay: day,
      notice: null,
      announcement: flow.say((strings, format) =>
        `${format.day(day)}: ${times > 0 ? strings.dayFree(times) : strings.dayFull}`
      ),
    });
  }

  slotsOn(day: string): readonly Slot[] {
    const { slots } = this.flow.state;
    return slots ? this.#onDay(slots, day) : [];
  }

  /** What is sold out on a day, where the venue shows it. */
  takenOn(day: string): readonly Slot[] {
    const { taken, calendar, step } = this.flow.state;
    return calendar?.shows_taken_times && step === "choose" ? this.#onDay(taken, day) : [];
  }

  #onDay(slots: readonly Slot[], day: string): readonly Slot[] {
    let days = this.#byDay.get(slots);
    if (!days) {
      days = new Map();
      for (const slot of slots) {
        const found = days.get(slot.local_date);
        if (found) found.push(slot);
        else days.set(slot.local_date, [slot]);
      }
      this.#byDay.set(slots, days);
    }
    return days.get(day) ?? [];
  }

  /** The least that a time of the day costs; null when none is free. */
  cheapestOn(day: string): Slot | null {
    return this.slotsOn(day).reduce<Slot | null>(
      (least, slot) => least && least.price_cents <= slot.price_cents ? least : slot,
      null,
    );
  }

  /** Look at month after month until one has something free. */
  async findNextFree(): Promise<void> {
    const { flow } = this;
    const search = ++this.#search;
    flow.set({ busy: "search" });
    try {
      for (let month = flow.state.month; this.canShow(month); month = addMonths(month, 1)) {
        const slots = await this.#free.slots(month);
        if (search !== this.#search) return;
        if (slots.some(this.#fits)) {
          flow.set({ month, busy: null });
          this.#showSlots(slots);
          return flow.set({ focus: flow.focusOn(`day-${flow.state.focusDay}`) });
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
    const { day, month, slots } = this.flow.state;
    const whole = slot === null && (slots?.length === 0 || day === null);
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
    flow.set({ slots: null });
    if (day) return await this.loadMonth("kept");
    flow.set({ day: null });
    // Late in a month what is free is often in the next: the first look takes both.
    const next = addMonths(monthOf(first), 1);
    const months = this.canShow(next) ? [monthOf(first), next] : [monthOf(first)];
    await this.#look(async () => {
      const slots = await this.#free.months(months);
      const found = monthOf(slots.find(this.#fits)?.local_date ?? first);
      return { month: found, slots: slots.filter((slot) => monthOf(slot.local_date) === found) };
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
    if (!this.#free.knows(month)) flow.set({ slots: null });
    await this.#look(async () => ({ month, slots: await this.#free.slots(month) }), manner);
  }

  /**
   * Show what a question brings, unless another has been asked since. A failure is said as one, and
   * is not the same as nothing free: it is tried again by itself, at most twice.
   */
  async #look(
    ask: () => Promise<{ readonly month: string; readonly slots: readonly Slot[] }>,
    manner?: Manner,
  ): Promise<void> {
    const { flow } = this;
    const search = ++this.#search;
    flow.set({ unreachable: false });
    for (const pause of [...PATIENCE_MS, 0]) {
      try {
        const { month, slots } = await ask();
        if (search !== this.#search) return;
        flow.set({ month, unreachable: false, ...(this.#lost ? { notice: null } : {}) });
        this.#lost = false;
        return this.#showSlots(slots, manner);
      } catch (error) {
        if (search !== this.#search) return;
        const lost = this.#lost = flow.isTransient(error);
        // What is shown already stays, when it was only looked at again.
        const kept = manner === "quiet" && flow.state.slots !== null;
        flow.set({
          notice: flow.problem(error),
          unreachable: lost && !kept,
          ...(lost ? {} : { slots: [] }),
        });
        if (!lost || pause === 0) return;
      }
      await flow.world.wait(pause);
      if (search !== this.#search || flow.stopped) return;
    }
  }

  /** Whether the party can have it, and need not wait for it. */
  #fits = (slot: Slot): boolean => slot.seats_available >= this.flow.state.partySize;

  #showSlots(all: readonly Slot[], manner?: Manner): void {
    const { flow } = this;
    const slots = all.filter(this.#fits);
    flow.set({ slots, taken: all.filter((slot) => !this.#fits(slot)) });
    const days = new Set(slots.map((slot) => slot.local_date));
    const { day, month, focusDay } = flow.state;
    // A full day that was chosen stays chosen as long as it leads anywhere.
    const kept = day !== null && (days.has(day) || (manner && this.canSelect(day)))
      ? day
      : slots[0]?.local_date ?? null;
    const inside = monthOf(focusDay) === month && flow.state.focus?.target === `day-${focusDay}`;
    flow.set({
      day: kept,
      // The keyboard's day stays where the visitor put it.
      focusDay: inside ? focusDay : kept ?? this.clamp(firstDay(month)),
    });
    if (manner === "quiet") return;
    flow.set({
      announcement: flow.say((strings, format) =>
        days.size > 0
          ? strings.monthFree(format.month(month), days.size)
          : strings.monthFull(format.month(month))
      ),
    });
  }

  clamp(day: string): string {
    const { first, last } = this.flow.range;
    return day < first ? first : day > last ? last : day;
  }
}
