/**
 * The visitor's way through a booking: what is known, what comes next, what went wrong.
 *
 * No DOM here. The element renders {@link State} and calls the methods; the world outside (network,
 * clock, address bar) comes in through {@link World}, so that every path can be tested.
 */
import type { Booking, BookingCalendar, Quote, Room, Slot } from "../../_shared/booking.ts";
import { type Api, ApiError, type BookingKey } from "./api.ts";
import {
  type CustomerForm,
  emptyForm,
  type Field,
  type FieldErrors,
  fields,
  refusedField,
  validate,
  validateField,
} from "./customer.ts";
import { addDays, addMonths, firstDay, inMonth, lastDay, localDate, monthOf } from "./dates.ts";
import type { Format } from "./format.ts";
import type { Store } from "./store.ts";
import type { Strings } from "./strings.ts";

export type Step =
  | "loading"
  | "failed"
  | "choose"
  | "details"
  | "pay"
  | "confirming"
  | "slow"
  | "booking"
  | "elsewhere";

/** A text that is written when it is shown, in the language of that moment. */
export type Text = (strings: Strings, format: Format) => string;

export interface Notice {
  readonly tone: "error" | "info";
  readonly text: Text;
}

export interface State {
  readonly step: Step;
  readonly calendar: BookingCalendar | null;
  readonly roomId: string | null;
  readonly partySize: number;
  readonly month: string;
  /** The day that the keyboard is on in the grid, and the day whose times are shown. */
  readonly focusDay: string;
  readonly day: string | null;
  /** The free slots of the shown month; null while they are not known. */
  readonly slots: readonly Slot[] | null;
  readonly slot: Slot | null;
  readonly quote: Quote | null;
  readonly form: CustomerForm;
  readonly fieldErrors: FieldErrors;
  /** The price moved between the quote and the hold: the visitor must agree. */
  readonly oldTotal: number | null;
  readonly booking: Booking | null;
  /** The booking was confirmed before the visitor's eyes, not opened later by its link. */
  readonly fresh: boolean;
  /** What the visitor was promised back when they cancelled before our eyes. */
  readonly promisedCents: number;
  /** Seconds that the hold has left; zero when it ended. */
  readonly remaining: number;
  readonly asking: "cancel" | null;
  readonly busy: "search" | "hold" | "pay" | "cancel" | "release" | "check" | null;
  readonly notice: Notice | null;
  /** Said to screen readers; `id` makes the same words audible twice. */
  readonly announcement: { readonly id: number; readonly text: Text } | null;
  /** The element to focus after the next rendering, by its `data-focus`. */
  readonly focus: { readonly id: number; readonly target: string } | null;
}

/** What the address bar said when the page was opened. */
export interface Entry {
  readonly reference: string | null;
  readonly token: string | null;
  readonly payment: string | null;
}

export interface World {
  readonly api: Api;
  readonly store: Store;
  readonly slug: string;
  readonly entry: Entry;
  /** The language to write to the customer in. */
  locale(): string;
  now(): number;
  wait(milliseconds: number): Promise<void>;
  newKey(): string;
  /** Leave the page for the payment provider's. */
  redirect(url: string): void;
  /** This page's address without anything of a booking: where the payment comes back to. */
  returnUrl(): string;
  /** Take the booking out of the address bar. */
  clearAddress(): void;
  emit(event: "held" | "confirmed" | "cancelled", reference: string): void;
}

/** Codes that mean: this time cannot be had, look again at what is free. */
const goneCodes = new Set([
  "slot_taken",
  "slot_in_past",
  "slot_not_offered",
  "notice_too_short",
  "too_far_ahead",
  "party_size_invalid",
  "room_not_found",
]);
const FRESH_MS = 60_000;
const CONFIRM_LIMIT_MS = 60_000;

const initial: State = {
  step: "loading",
  calendar: null,
  roomId: null,
  partySize: 2,
  month: "",
  focusDay: "",
  day: null,
  slots: null,
  slot: null,
  quote: null,
  form: emptyForm,
  fieldErrors: {},
  oldTotal: null,
  booking: null,
  fresh: false,
  promisedCents: 0,
  remaining: 0,
  asking: null,
  busy: null,
  notice: null,
  announcement: null,
  focus: null,
};

export class Flow {
  state: State = initial;
  #changed: () => void = () => {};
  #cache = new Map<string, { readonly at: number; readonly slots: readonly Slot[] }>();
  #search = 0;
  #quoting = 0;
  #token: string | null = null;
  #skew = 0;
  #attempt: { readonly request: string; readonly key: string } | null = null;
  #stopped = false;

  #entry: Entry;

  constructor(readonly world: World) {
    this.#entry = world.entry;
  }

  onChange(callback: () => void): void {
    this.#changed = callback;
  }

  stop(): void {
    this.#stopped = true;
    this.#changed = () => {};
  }

  // ---- where the visitor is ----

  /** Whether the address named a booking. */
  get entered(): boolean {
    return this.#entry.reference !== null;
  }

  get room(): Room | null {
    return this.state.calendar?.rooms.find((room) => room.id === this.state.roomId) ?? null;
  }

  /** Today at the venue, and the last day that can be booked. */
  get range(): { readonly first: string; readonly last: string } {
    const { calendar } = this.state;
    const zone = this.room?.timezone ?? calendar?.timezone ?? "UTC";
    const first = localDate(this.#serverNow(), zone);
    return { first, last: addDays(first, calendar?.maximum_advance_days ?? 0) };
  }

  // ---- entering ----

  async start(): Promise<void> {
    const { store, slug } = this.world;
    const entry = this.#entry;
    const open = entry.reference ?? store.open(slug);
    if (open === null) return await this.#enterChoose();
    const remembered = store.load(open);
    this.#token = entry.token ?? remembered?.token ?? null;
    this.#skew = remembered?.skew ?? 0;
    if (this.#token === null) {
      // A payment that came back to another browser, or a stale mark of this tab.
      if (entry.reference === null) return await this.#enterChoose();
      return this.#set({ step: "elsewhere", focus: this.#focusOn("heading") });
    }
    if (entry.token !== null) {
      store.save(open, { token: entry.token, calendar: slug, skew: this.#skew });
    }
    try {
      const booking = await this.world.api.getBooking({
        reference: open,
        manage_token: this.#token,
      });
      const unfinished = booking.status === "held" || booking.status === "pending";
      if (entry.reference === null && !(unfinished && this.#secondsLeft(booking) > 0)) {
        store.setOpen(slug, null);
        return await this.#enterChoose();
      }
      await this.#show(booking, entry.payment);
    } catch (error) {
      if (entry.reference === null) return await this.#enterChoose();
      this.#fail(error);
    }
  }

  async #enterChoose(focus: State["focus"] = null): Promise<void> {
    try {
      const calendar = this.state.calendar ?? await this.world.api.getCalendar(this.world.slug);
      const room = calendar.rooms[0];
      this.#set({ calendar });
      if (!room) throw new ApiError("calendar_not_found", 404);
      if (!this.room) this.#set({ roomId: room.id, partySize: fitParty(room, 2) });
      this.#set({ step: "choose", ...(focus ? { focus } : {}) });
      await this.#firstMonth();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#set({ step: "failed", notice: this.#problem(error), focus: this.#focusOn("heading") });
  }

  async retry(): Promise<void> {
    this.#set({ step: "loading", notice: null });
    await this.start();
  }

  // ---- choosing ----

  async selectRoom(roomId: string): Promise<void> {
    if (roomId === this.state.roomId) return;
    const room = this.state.calendar?.rooms.find((candidate) => candidate.id === roomId);
    if (!room) return;
    this.#set({ roomId, partySize: fitParty(room, this.state.partySize), notice: null });
    await this.#loadMonth();
  }

  async setPartySize(partySize: number): Promise<void> {
    const { room } = this;
    if (!room || fitParty(room, partySize) !== partySize) return;
    this.#set({ partySize, notice: null });
    // Somebody who taps "more" four times asks once.
    const search = ++this.#search;
    await this.world.wait(200);
    if (search === this.#search) await this.#loadMonth();
  }

  canShow(month: string): boolean {
    const { first, last } = this.range;
    return month >= monthOf(first) && month <= monthOf(last);
  }

  async showMonth(month: string): Promise<void> {
    if (!this.canShow(month)) return;
    this.#set({ month, day: null, focusDay: this.#clamp(inMonth(this.state.focusDay, month)) });
    await this.#loadMonth();
  }

  /** Move the keyboard's day, into another month when it leads there. */
  async moveFocus(day: string): Promise<void> {
    const focusDay = this.#clamp(day);
    const month = monthOf(focusDay);
    const turned = month !== this.state.month;
    this.#set({ focusDay, month, focus: this.#focusOn(`day-${focusDay}`) });
    if (turned) await this.#loadMonth();
  }

  selectDay(day: string): void {
    const times = this.slotsOn(day).length;
    if (times === 0) return;
    this.#set({
      day,
      focusDay: day,
      notice: null,
      announcement: this.#say((strings, format) => `${format.day(day)}: ${strings.dayFree(times)}`),
    });
  }

  slotsOn(day: string): readonly Slot[] {
    return this.state.slots?.filter((slot) => slot.local_date === day) ?? [];
  }

  /** Look at month after month until one has something free. */
  async findNextFree(): Promise<void> {
    const search = ++this.#search;
    this.#set({ busy: "search" });
    try {
      for (let month = this.state.month; this.canShow(month); month = addMonths(month, 1)) {
        const slots = await this.#slots(month);
        if (search !== this.#search) return;
        if (slots[0]) {
          this.#set({ month, busy: null });
          this.#showSlots(slots);
          return this.#set({ focus: this.#focusOn(`day-${this.state.focusDay}`) });
        }
      }
      const { last } = this.range;
      const text: Text = (strings, format) => strings.searchNone(format.day(last));
      this.#set({ busy: null, notice: { tone: "info", text }, focus: this.#focusOn("notice") });
    } catch (error) {
      if (search === this.#search) this.#set({ busy: null, notice: this.#problem(error) });
    }
  }

  /** Take a time and go on to the details; the price is asked for meanwhile. */
  async chooseSlot(slot: Slot): Promise<void> {
    this.#set({
      step: "details",
      slot,
      quote: null,
      oldTotal: null,
      notice: null,
      focus: this.#focusOn("heading"),
    });
    await this.#requote();
  }

  backToChoose(): void {
    this.#quoting++;
    this.#set({
      step: "choose",
      slot: null,
      quote: null,
      oldTotal: null,
      notice: null,
      focus: this.#focusOn("heading"),
    });
    void this.#loadMonth();
  }

  /** Ask again what is free when the visitor comes back to a page that lay open. */
  async wake(): Promise<void> {
    if (this.state.step === "choose") await this.#loadMonth("quiet");
    else if (this.state.step === "pay" && this.state.booking) await this.checkAgain();
  }

  async #firstMonth(): Promise<void> {
    const { first } = this.range;
    this.#set({ month: monthOf(first), focusDay: first, day: null, slots: null });
    // Late in a month what is free is often in the next: the first look takes both.
    const { roomId, partySize } = this.state;
    const search = ++this.#search;
    try {
      const next = addMonths(monthOf(first), 1);
      const months = this.canShow(next) ? [monthOf(first), next] : [monthOf(first)];
      const slots = await this.#fetchSlots(first, this.#clamp(lastDay(months.at(-1)!)));
      if (search !== this.#search) return;
      for (const month of months) {
        this.#cache.set(this.#cacheKey(month, roomId, partySize), {
          at: this.world.now(),
          slots: slots.filter((slot) => monthOf(slot.local_date) === month),
        });
      }
      const found = slots[0] ? monthOf(slots[0].local_date) : monthOf(first);
      this.#set({ month: found });
      this.#showSlots(slots.filter((slot) => monthOf(slot.local_date) === found));
    } catch (error) {
      if (search === this.#search) this.#set({ slots: [], notice: this.#problem(error) });
    }
  }

  async #loadMonth(manner?: "quiet"): Promise<void> {
    const search = ++this.#search;
    const { month, roomId, partySize } = this.state;
    if (!this.#cache.has(this.#cacheKey(month, roomId, partySize))) this.#set({ slots: null });
    try {
      const slots = await this.#slots(month);
      if (search === this.#search) this.#showSlots(slots, manner);
    } catch (error) {
      if (search === this.#search) this.#set({ slots: [], notice: this.#problem(error) });
    }
  }

  #showSlots(slots: readonly Slot[], manner?: "quiet"): void {
    const days = new Set(slots.map((slot) => slot.local_date));
    const { day, month, focusDay } = this.state;
    const kept = day !== null && days.has(day) ? day : slots[0]?.local_date ?? null;
    const inside = monthOf(focusDay) === month && this.state.focus?.target === `day-${focusDay}`;
    this.#set({
      slots,
      day: kept,
      // The keyboard's day stays where the visitor put it.
      focusDay: inside ? focusDay : kept ?? this.#clamp(firstDay(month)),
    });
    if (manner === "quiet") return;
    this.#set({
      announcement: this.#say((strings, format) =>
        days.size > 0
          ? strings.monthFree(format.month(month), days.size)
          : strings.monthFull(format.month(month))
      ),
    });
  }

  async #slots(month: string): Promise<readonly Slot[]> {
    const key = this.#cacheKey(month, this.state.roomId, this.state.partySize);
    const cached = this.#cache.get(key);
    if (cached && this.world.now() - cached.at < FRESH_MS) return cached.slots;
    const slots = await this.#fetchSlots(
      this.#clamp(firstDay(month)),
      this.#clamp(lastDay(month)),
    );
    this.#cache.set(key, { at: this.world.now(), slots });
    return slots;
  }

  #fetchSlots(from: string, to: string): Promise<Slot[]> {
    return this.world.api.getAvailability({
      slug: this.world.slug,
      from_date: from,
      to_date: to,
      room_id: this.state.roomId ?? "",
      party_size: this.state.partySize,
    });
  }

  #cacheKey(month: string, roomId: string | null, partySize: number): string {
    return `${roomId} ${partySize} ${month}`;
  }

  #clamp(day: string): string {
    const { first, last } = this.range;
    return day < first ? first : day > last ? last : day;
  }

  // ---- details and hold ----

  type(field: Field, value: string): void {
    this.state = { ...this.state, form: { ...this.state.form, [field]: value } };
    if (this.state.fieldErrors[field]) this.leaveField(field);
  }

  /** Say what is wrong with a field once the visitor has left it filled in. */
  leaveField(field: Field): void {
    const value = this.state.form[field];
    const { [field]: before, ...others } = this.state.fieldErrors;
    const problem = value === "" && !before ? null : validateField(field, value);
    this.#set({ fieldErrors: problem ? { ...others, [field]: problem } : others });
  }

  async submitDetails(): Promise<void> {
    if (this.state.busy) return;
    const fieldErrors = validate(this.state.form);
    const wrong = fields.filter((field) => fieldErrors[field]);
    this.#set({ fieldErrors, notice: null });
    if (wrong[0]) {
      return this.#set({
        focus: this.#focusOn(`field-${wrong[0]}`),
        announcement: this.#say((strings) => strings.checkFields(wrong.length)),
      });
    }
    if (!this.state.quote) await this.#requote();
    if (this.state.quote) await this.#hold(this.state.quote);
  }

  async #requote(): Promise<void> {
    const { slot, partySize } = this.state;
    if (!slot) return;
    const quoting = ++this.#quoting;
    try {
      const quote = await this.world.api.quote(
        this.world.slug,
        slot.room_id,
        slot.starts_at,
        partySize,
      );
      if (quoting === this.#quoting) this.#set({ quote });
    } catch (error) {
      if (quoting === this.#quoting) await this.#refused(error);
    }
  }

  async #hold(quote: Quote): Promise<void> {
    const { form, calendar } = this.state;
    const phone = form.phone.trim();
    const request = {
      slug: this.world.slug,
      room_id: quote.room_id,
      starts_at: quote.starts_at,
      party_size: quote.party_size,
      customer: {
        full_name: form.full_name.trim(),
        email: form.email.trim(),
        ...(phone === "" ? {} : { phone }),
        locale: this.world.locale(),
      },
      expected_total_cents: quote.total_cents,
    };
    // The key names the attempt: pressing again after a lost answer is the same attempt, another
    // time or another name is a new one.
    const signature = JSON.stringify(request);
    if (this.#attempt?.request !== signature) {
      this.#attempt = { request: signature, key: this.world.newKey() };
    }
    this.#set({ busy: "hold", notice: null });
    try {
      const held = await this.world.api.hold({ ...request, idempotency_key: this.#attempt.key });
      const { manage_token, ...fields_ } = held;
      this.#attempt = null;
      this.#token = manage_token;
      // The visitor's clock may be wrong; the hold has just begun, so its end tells the server's.
      const expected = this.world.now() + (calendar?.hold_minutes ?? 0) * 60_000;
      const skew = held.hold_expires_at ? Date.parse(held.hold_expires_at) - expected : 0;
      this.#skew = Math.abs(skew) > 30_000 ? skew : 0;
      this.#remember(held.reference);
      this.#cache.clear();
      this.world.emit("held", held.reference);
      const booking: Booking = {
        ...fields_,
        paid_cents: 0,
        refunded_cents: 0,
        customer: { full_name: request.customer.full_name, email: request.customer.email },
        organization: { name: calendar?.organization.name ?? "" },
        lines: quote.lines,
        cancellable: false,
        cancellation: { refund_percent: 0, refund_cents: 0 },
        history: [],
      };
      this.#set({ busy: null, oldTotal: null });
      if (held.status === "held") return this.#enterPay(booking);
      await this.#show(await this.world.api.getBooking(this.#key(held.reference)), "success");
    } catch (error) {
      this.#set({ busy: null });
      await this.#refused(error);
    }
  }

  #remember(reference: string): void {
    const { slug, store } = this.world;
    if (this.#token) {
      store.save(reference, { token: this.#token, calendar: slug, skew: this.#skew });
    }
    store.setOpen(slug, reference);
  }

  /** A quote or a hold was refused: say why, in the place where it can be mended. */
  async #refused(error: unknown): Promise<void> {
    const code = error instanceof ApiError ? error.code : "unexpected";
    if (goneCodes.has(code)) {
      this.#attempt = null;
      this.#cache.clear();
      this.#set({
        step: "choose",
        slot: null,
        quote: null,
        oldTotal: null,
        notice: this.#problem(error),
        focus: this.#focusOn("notice"),
      });
      return await this.#loadMonth();
    }
    if (code === "total_changed" && this.state.quote) {
      const oldTotal = this.state.quote.total_cents;
      this.#set({ quote: null });
      await this.#requote();
      if (this.state.quote) this.#set({ oldTotal, focus: this.#focusOn("notice") });
      return;
    }
    const refused = code === "customer_invalid" && error instanceof ApiError
      ? refusedField(error.details.field)
      : null;
    if (refused) {
      return this.#set({
        fieldErrors: { [refused.field]: refused.problem },
        focus: this.#focusOn(`field-${refused.field}`),
        announcement: this.#say((strings) => strings.checkFields(1)),
      });
    }
    this.#set({ notice: this.#problem(error), focus: this.#focusOn("notice") });
  }

  // ---- payment ----

  #enterPay(booking: Booking, notice: Notice | null = null): void {
    this.#set({
      step: "pay",
      booking,
      remaining: this.#secondsLeft(booking),
      fresh: false,
      notice,
      focus: this.#focusOn("heading"),
    });
  }

  /** Called every second while a hold is shown. */
  tick(): void {
    const { step, booking, remaining } = this.state;
    if (step !== "pay" || !booking) return;
    const now = this.#secondsLeft(booking);
    if (now === remaining) return;
    const spoken = [300, 60, 30].find((mark) => now <= mark && remaining > mark);
    this.#set({
      remaining: now,
      ...(spoken === undefined || now === 0 ? {} : {
        announcement: this.#say((strings) =>
          strings.timeLeftSpoken(Math.floor(spoken / 60), spoken % 60)
        ),
      }),
    });
    // The server knows best: a payment page that is open has made the hold longer.
    if (now === 0 && !this.state.busy) void this.checkAgain();
  }

  async pay(): Promise<void> {
    const { booking, busy } = this.state;
    if (!booking || busy) return;
    this.#set({ busy: "pay", notice: null });
    try {
      const checkout = await this.world.api.checkout(
        this.#key(booking.reference),
        this.world.returnUrl(),
      );
      if (!/^https?:\/\//.test(checkout.checkout_url)) throw new ApiError("unexpected", 500);
      this.world.redirect(checkout.checkout_url);
    } catch (error) {
      const code = error instanceof ApiError ? error.code : "";
      // A page on an origin that the service does not allow is the owner's to find out.
      console.error(`escape-booking: the payment page was refused (${code})`);
      this.#set({ busy: null });
      if (code === "nothing_due" || code === "not_payable") await this.checkAgain();
      const known = code in { not_payable: 1, booking_not_found: 1, network: 1 };
      if (this.state.step !== "pay") return;
      this.#set({
        notice: known
          ? this.#problem(error)
          : { tone: "error", text: (strings) => strings.errors.payment_unavailable ?? "" },
        focus: this.#focusOn("notice"),
      });
    }
  }

  /** The page is shown again as the visitor left it for the payment page ("back"). */
  async comeBack(): Promise<void> {
    if (this.state.busy !== "pay") return;
    this.#set({ busy: null });
    await this.checkAgain();
  }

  /** Give the held time back and look for another. */
  async release(): Promise<void> {
    const { booking, busy } = this.state;
    if (!booking || busy) return;
    this.#set({ busy: "release" });
    try {
      await this.world.api.cancelBooking(this.#key(booking.reference));
    } catch {
      // It lapses by itself.
    }
    this.#set({ busy: null });
    await this.bookAnother();
  }

  async checkAgain(): Promise<void> {
    const { booking, busy, step } = this.state;
    if (!booking || busy) return;
    this.#set({ busy: "check" });
    try {
      const now = await this.world.api.getBooking(this.#key(booking.reference));
      this.#set({ busy: null });
      if (step === "pay" && now.status === "held") {
        return this.#set({ booking: now, remaining: this.#secondsLeft(now) });
      }
      await this.#show(now, step === "slow" ? "success" : null);
    } catch (error) {
      this.#set({ busy: null, notice: this.#problem(error) });
    }
  }

  async #show(booking: Booking, payment: string | null): Promise<void> {
    const waiting = booking.status === "held" || booking.status === "pending";
    const late = payment === "success" && booking.status === "expired";
    if ((waiting && (payment === "success" || booking.status === "pending")) || late) {
      return await this.#awaitConfirmation(booking);
    }
    if (waiting) {
      const notice: Notice = { tone: "info", text: (strings) => strings.paymentCancelled };
      return this.#enterPay(booking, payment === "cancelled" ? notice : null);
    }
    if (booking.status === "expired" && booking.paid_cents === 0) {
      this.world.store.setOpen(this.world.slug, null);
      return this.#enterPay(booking);
    }
    this.#enterBooking(booking, payment === "success" && booking.status === "confirmed");
  }

  /** The page reads the booking, not the redirect: it waits until the money has arrived. */
  async #awaitConfirmation(booking: Booking): Promise<void> {
    this.#set({ step: "confirming", booking, notice: null, focus: this.#focusOn("heading") });
    const until = this.world.now() + CONFIRM_LIMIT_MS;
    for (let pause = 500; this.world.now() < until && !this.#stopped; pause *= 1.4) {
      await this.world.wait(Math.min(pause, 4_000));
      try {
        const now = await this.world.api.getBooking(this.#key(booking.reference));
        if (!["held", "pending", "expired"].includes(now.status)) {
          return this.#enterBooking(now, now.status === "confirmed");
        }
        this.#set({ booking: now });
      } catch {
        // The next look may succeed.
      }
    }
    this.#set({ step: "slow", focus: this.#focusOn("heading") });
  }

  // ---- the booking ----

  #enterBooking(booking: Booking, fresh: boolean): void {
    this.world.store.setOpen(this.world.slug, null);
    this.#set({
      step: "booking",
      booking,
      fresh,
      asking: null,
      notice: null,
      focus: this.#focusOn("heading"),
    });
    if (fresh) this.world.emit("confirmed", booking.reference);
  }

  /** Show what cancelling would give back, as it is now. */
  async askCancel(): Promise<void> {
    const { booking } = this.state;
    if (!booking || this.state.busy) return;
    this.#set({ busy: "check", notice: null });
    try {
      const now = await this.world.api.getBooking(this.#key(booking.reference));
      this.#set({ busy: null, booking: now });
      if (now.cancellable) this.#set({ asking: "cancel", focus: this.#focusOn("question") });
      else throw new ApiError("not_cancellable", 409);
    } catch (error) {
      this.#set({ busy: null, notice: this.#problem(error), focus: this.#focusOn("notice") });
    }
  }

  keep(): void {
    this.#set({ asking: null, focus: this.#focusOn("cancel") });
  }

  async confirmCancel(): Promise<void> {
    const { booking } = this.state;
    if (!booking || this.state.busy) return;
    this.#set({ busy: "cancel", notice: null });
    try {
      const now = await this.world.api.cancelBooking(this.#key(booking.reference));
      this.#cache.clear();
      this.#set({ busy: null, promisedCents: booking.cancellation.refund_cents });
      this.#enterBooking(now, false);
      this.world.emit("cancelled", now.reference);
    } catch (error) {
      this.#set({
        busy: null,
        asking: null,
        notice: this.#problem(error),
        focus: this.#focusOn("notice"),
      });
    }
  }

  async bookAnother(): Promise<void> {
    this.world.store.setOpen(this.world.slug, null);
    this.world.clearAddress();
    this.#entry = { reference: null, token: null, payment: null };
    this.#token = null;
    this.#cache.clear();
    this.#set({
      step: this.state.month === "" ? "loading" : "choose",
      booking: null,
      slot: null,
      quote: null,
      fresh: false,
      promisedCents: 0,
      notice: null,
      slots: null,
    });
    const focus = this.#focusOn("heading");
    // Nothing has been chosen yet on a page that was opened at a booking.
    if (this.state.month === "") return await this.#enterChoose(focus);
    this.#set({ focus });
    await this.#loadMonth();
  }

  // ---- small things ----

  #key(reference: string): BookingKey {
    return { reference, manage_token: this.#token ?? "" };
  }

  #serverNow(): number {
    return this.world.now() + this.#skew;
  }

  #secondsLeft(booking: Booking): number {
    if (booking.status !== "held" || !booking.hold_expires_at) return 0;
    const left = Date.parse(booking.hold_expires_at) - this.#serverNow();
    return Math.max(0, Math.ceil(left / 1000));
  }

  #problem(error: unknown): Notice {
    const code = error instanceof ApiError ? error.code : "unexpected";
    if (!(error instanceof ApiError)) console.error(error);
    return {
      tone: "error",
      text: (strings) => strings.errors[code] ?? strings.errors.unexpected ?? code,
    };
  }

  #say(text: Text): State["announcement"] {
    return { id: (this.state.announcement?.id ?? 0) + 1, text };
  }

  #focusOn(target: string): State["focus"] {
    return { id: (this.state.focus?.id ?? 0) + 1, target };
  }

  #set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    this.#changed();
  }
}

function fitParty(room: Room, partySize: number): number {
  return Math.min(Math.max(partySize, room.minimum_party), room.maximum_party);
}
