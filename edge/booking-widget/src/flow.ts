/**
 * The visitor's way through a booking: what is known, what comes next, what went wrong.
 *
 * No DOM here. The element renders {@link State} and calls the methods; the world outside (network,
 * clock, address bar) comes in through {@link World}, so that every path can be tested. Each thing
 * that a visitor does has a part of its own; what not every visitor does comes later, as a second
 * script ({@link More}).
 */
import type { Booking, CustomField, Room } from "../../_shared/booking.ts";
import { toUnits } from "../../_shared/money.ts";
import { type BookingKey, isRefusal, refusalOf } from "./api.ts";
import { Choosing } from "./choosing.ts";
import { Clock } from "./clock.ts";
import { addDays, localDate } from "./dates.ts";
import { Details } from "./details.ts";
import { Entering } from "./entering.ts";
import type { More } from "./more.ts";
import { Paying } from "./paying.ts";
import { Pricing } from "./pricing.ts";
import {
  initial,
  moreText,
  type Notice,
  noWishes,
  type State,
  type Step,
  type Text,
} from "./state.ts";
import { stringsFor } from "./strings.ts";
import { Trail } from "./trail.ts";
import type { Event, Told, World } from "./world.ts";

export class Flow {
  state: State = initial;
  readonly entering: Entering;
  readonly choosing: Choosing;
  readonly pricing: Pricing;
  readonly details: Details;
  readonly paying: Paying;
  readonly trail: Trail;
  readonly clock: Clock;
  /** What only some visitors need; null until it was asked for. */
  more: More | null = null;
  /** The manage token of the booking that is shown. */
  token: string | null = null;
  stopped = false;
  /** The step of the entry at which the page was opened. */
  base: Step = "choose";
  #changed: () => void = () => {};
  #said = 0;

  constructor(readonly world: World) {
    this.entering = new Entering(this, world.entry);
    this.choosing = new Choosing(this);
    this.pricing = new Pricing(this);
    this.details = new Details(this);
    this.paying = new Paying(this);
    this.trail = new Trail(this, world.past);
    this.clock = new Clock(this);
  }

  onChange(callback: () => void): void {
    this.#changed = callback;
  }

  stop(): void {
    this.stopped = true;
    this.#changed = () => {};
  }

  // ---- where the visitor is ----

  /** Whether the address named a booking. */
  get entered(): boolean {
    return this.entering.entry.reference !== null;
  }

  /** The room of the chosen time, or that one waits for, else the one whose times are shown. */
  get room(): Room | null {
    const { slot, step, waiting, roomId } = this.state;
    return this.roomOf(slot?.room_id ?? (step === "waitlist" && waiting ? waiting.roomId : roomId));
  }

  /** What the venue asks of whoever books or waits for the room. */
  get questions(): readonly CustomField[] {
    const room = this.room?.id;
    return (this.state.calendar?.fields ?? []).filter(({ room_id }) => (room_id ?? room) === room);
  }

  roomOf(roomId: string | null): Room | null {
    return this.state.calendar?.rooms.find((room) => room.id === roomId) ?? null;
  }

  /** Whether the times of all rooms are looked at together. */
  get dateFirst(): boolean {
    const { calendar, step } = this.state;
    return calendar?.flow === "date_first" && calendar.rooms.length > 1 && step !== "move";
  }

  /** How many players the room takes, or any of the rooms. */
  get party(): { readonly minimum: number; readonly maximum: number } {
    const { room } = this;
    const rooms = room ? [room] : this.state.calendar?.rooms ?? [];
    return {
      minimum: Math.min(...rooms.map((one) => one.minimum_party)),
      maximum: Math.max(...rooms.map((one) => one.maximum_party)),
    };
  }

  /** Today at the venue, and the last day that can be booked. */
  get range(): { readonly first: string; readonly last: string } {
    const { calendar } = this.state;
    const zone = this.room?.timezone ?? calendar?.timezone ?? "UTC";
    const first = localDate(this.clock.now(), zone);
    return { first, last: addDays(first, calendar?.maximum_advance_days ?? 0) };
  }

  // ---- entering ----

  async start(): Promise<void> {
    await this.entering.start();
  }

  fail(error: unknown): void {
    this.set({
      step: "failed",
      notice: this.problem(error),
      unreachable: this.isTransient(error),
      focus: this.focusOn("heading"),
    });
  }

  async retry(): Promise<void> {
    this.set({ step: "loading", notice: null, unreachable: false });
    await this.start();
  }

  /** Ask again when the visitor comes back to a page that lay open, or the network does. */
  async wake(): Promise<void> {
    const { step, unreachable, booking, busy } = this.state;
    if (step === "failed" && unreachable) await this.retry();
    else if (step === "choose" || step === "move") {
      if (busy === null) await this.choosing.loadMonth(unreachable ? undefined : "quiet");
    } else if (["pay", "slow", "mailed"].includes(step) && booking) await this.paying.checkAgain();
  }

  // ---- the second script ----

  async loadMore(): Promise<More> {
    if (!this.more) {
      this.more = (await this.world.loadMore())(this);
      this.#changed();
    }
    return this.more;
  }

  /** Fetch it while there is time; whether that worked is asked when it is needed. */
  prepareMore(): Promise<unknown> {
    return this.loadMore().catch(() => {});
  }

  /** Go where the second script is needed, or say why that cannot be done now. */
  async withMore(go: (more: More) => void | Promise<void>): Promise<void> {
    try {
      await go(await this.loadMore());
    } catch (error) {
      this.set({ busy: null });
      await this.explain(error);
    }
  }

  // ---- the booking ----

  async enterBooking(booking: Booking, fresh: boolean): Promise<void> {
    const { store, slug } = this.world;
    if (fresh) this.emit("confirmed", booking);
    let more: More;
    try {
      more = await this.loadMore();
    } catch (error) {
      // It is booked all the same, and found again by the same browser.
      store.setOpen(slug, booking.reference);
      this.set({ booking, fresh });
      return this.fail(error);
    }
    store.setOpen(slug, null);
    if (fresh) store.saveDraft(slug, null);
    more.managing.enter(booking, fresh);
  }

  forget(): void {
    this.world.store.setOpen(this.world.slug, null);
    this.world.clearAddress();
    this.entering.entry = { reference: null, token: null, payment: null };
    this.token = null;
    this.base = "choose";
    this.choosing.forget();
  }

  async bookAnother(): Promise<void> {
    this.forget();
    this.set({
      step: this.state.month === "" ? "loading" : "choose",
      booking: null,
      slot: null,
      quote: null,
      wishes: noWishes,
      code: "",
      codeProblem: null,
      waiting: null,
      fresh: false,
      promisedCents: 0,
      notice: null,
      days: null,
    });
    const focus = this.focusOn("heading");
    this.trail.replace();
    // Nothing has been chosen yet on a page that was opened at a booking.
    if (this.state.month === "") return await this.entering.choose(focus);
    // Moving a booking looked at one room.
    if (this.dateFirst) this.set({ roomId: null });
    this.set({ focus });
    await this.choosing.loadMonth();
  }

  // ---- small things ----

  key(reference: string): BookingKey {
    return { reference, manage_token: this.token ?? "" };
  }

  /** Whether asking again may help: the network, or the server for a moment. */
  isTransient(error: unknown): boolean {
    return isRefusal(error) && (error.lost || error.status >= 500);
  }

  /** Copy a link, and say so; where that is not allowed it stands there to be marked. */
  async copy(link: string): Promise<void> {
    await this.world.copy(link).then(
      () =>
        this.set({ copied: link, announcement: this.say(moreText((strings) => strings.copied)) }),
      () => this.set({ focus: this.focusOn("link") }),
    );
  }

  problem(error: unknown): Notice {
    const { code } = refusalOf(error);
    if (!isRefusal(error)) console.error(error);
    return {
      tone: "error",
      text: (strings) => strings.errors[code] ?? strings.errors.unexpected ?? code,
    };
  }

  /** Say what is wrong; what is rare is said in the words of the second script. */
  async explain(error: unknown): Promise<void> {
    const { errors } = stringsFor(this.world.locale());
    if (!(refusalOf(error).code in errors)) await this.prepareMore();
    this.set({ notice: this.problem(error), focus: this.focusOn("notice") });
  }

  say(text: Text): State["announcement"] {
    return { id: ++this.#said, text };
  }

  focusOn(target: string): State["focus"] {
    return { id: (this.state.focus?.id ?? 0) + 1, target };
  }

  /** Tell the page, with what it is worth and nothing of the person. */
  emit(
    event: Event,
    booking: Pick<Booking, "reference" | "total_cents" | "currency"> | null,
  ): void {
    const { step, quote, slot } = this.state;
    const cents = booking?.total_cents ?? quote?.total_cents ?? slot?.price_cents;
    const currency = (booking ?? quote ?? slot)?.currency;
    const told: Told = {
      step,
      ...(booking ? { reference: booking.reference } : {}),
      ...(cents === undefined || !currency ? {} : { value: toUnits(cents, currency), currency }),
    };
    this.world.emit(event, told);
  }

  set(change: Partial<State>): void {
    const { step, busy } = this.state;
    this.state = { ...this.state, ...change };
    // What prices the booking survives a reload, as what was typed does.
    if (this.state.step === "details" && (change.wishes || change.quote)) this.details.keep();
    if (this.state.step !== step) {
      // What was said of another step is not so any more.
      if (!change.announcement) this.state = { ...this.state, announcement: null };
      const chosen = this.state.step === "choose" || this.state.step === "details";
      this.emit("step", chosen ? null : this.state.booking);
    }
    this.#changed();
    if (busy && !this.state.busy) this.trail.idle();
  }
}
