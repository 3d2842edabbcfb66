/**
 * The visitor's way through a booking: what is known, what comes next, what went wrong.
 *
 * No DOM here. The element renders {@link State} and calls the methods; the world outside (network,
 * clock, address bar) comes in through {@link World}, so that every path can be tested. What stands
 * beside the way to a booking has a part of its own: moving it, the waitlist, waivers.
 */
import type { Booking, Quote, Room, Slot } from "../../_shared/booking.ts";
import { ApiError, type BookingKey, type HoldRequest } from "./api.ts";
import {
  controlOf,
  type Field,
  type FieldErrors,
  fieldName,
  refusedAnswer,
  refusedField,
  toAnswers,
  validate,
  validateAnswer,
  validateAnswers,
  validateField,
} from "./customer.ts";
import { addDays, addMonths, firstDay, inMonth, lastDay, localDate, monthOf } from "./dates.ts";
import { Moving } from "./moving.ts";
import { Waivers } from "./signing.ts";
import {
  codeRefusal,
  dueNow,
  initial,
  type Notice,
  noWishes,
  payableNow,
  type State,
  type Text,
} from "./state.ts";
import { Waitlist } from "./waiting.ts";
import { exclusiveOffered, fitWishes, termsText, toConsents, toOptions } from "./wishes.ts";
import { Attempt, type Entry, type Inside, type World } from "./world.ts";

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
const CODE_LENGTH = 64;
const NOTE_LENGTH = 1000;
const FRESH_MS = 60_000;
const CONFIRM_LIMIT_MS = 60_000;

export class Flow {
  state: State = initial;
  readonly moving: Moving;
  readonly waitlist: Waitlist;
  readonly waivers: Waivers;
  #changed: () => void = () => {};
  #cache = new Map<string, { readonly at: number; readonly slots: readonly Slot[] }>();
  #byDay = new WeakMap<readonly Slot[], Map<string, Slot[]>>();
  #search = 0;
  #quoting = 0;
  #token: string | null = null;
  #skew = 0;
  #attempt: Attempt;
  #stopped = false;
  #entry: Entry;

  constructor(readonly world: World) {
    this.#entry = world.entry;
    this.#attempt = new Attempt(() => world.newKey());
    const inside: Inside = {
      world,
      state: () => this.state,
      set: (change) => this.#set(change),
      say: (text) => this.#say(text),
      focusOn: (target) => this.#focusOn(target),
      problem: (error) => this.#problem(error),
      key: (reference) => this.#key(reference),
    };
    this.moving = new Moving(
      inside,
      (booking) => this.#enterMove(booking),
      (error) => this.#lookAgain(error, "move"),
      (booking) => this.#moved(booking),
    );
    this.waitlist = new Waitlist(
      inside,
      {
        problems: () => this.#problems(),
        refused: (error) => this.#refusedFields(error),
        request: () => this.#person(),
        focusOnProblem: () => this.#focusOnProblem(),
        fit: () => this.#set({ partySize: this.#fitParty(this.state.partySize) }),
      },
      (error) => this.#lookAgain(error, "choose"),
    );
    this.waivers = new Waivers(inside, () => this.#afterWaiver());
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

  /** The room of the chosen time, or that one waits for, else the one whose times are shown. */
  get room(): Room | null {
    const { slot, step, waiting, roomId } = this.state;
    return this.roomOf(slot?.room_id ?? (step === "waitlist" && waiting ? waiting.roomId : roomId));
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
    const first = localDate(this.#serverNow(), zone);
    return { first, last: addDays(first, calendar?.maximum_advance_days ?? 0) };
  }

  // ---- entering ----

  async start(): Promise<void> {
    const { store, slug } = this.world;
    const entry = this.#entry;
    if (entry.waiver || entry.leave) this.#dress();
    if (entry.waiver) {
      return await this.waivers.open(entry.waiver).catch((error) => this.#fail(error));
    }
    if (entry.leave) return this.waitlist.askToLeave();
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
      store.save(open, { ...remembered, token: entry.token, calendar: slug, skew: this.#skew });
    }
    this.#dress();
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

  /** The calendar's colours and languages, where the way does not begin at it. */
  #dress(): void {
    this.world.api.getCalendar(this.world.slug).then(
      (calendar) => this.#set({ calendar: this.state.calendar ?? calendar }),
      () => {},
    );
  }

  async #enterChoose(focus: State["focus"] = null): Promise<void> {
    try {
      const calendar = this.state.calendar ?? await this.world.api.getCalendar(this.world.slug);
      const room = calendar.rooms[0];
      this.#set({ calendar });
      if (!room) throw new ApiError("calendar_not_found", 404);
      if (this.dateFirst) this.#set({ roomId: null, partySize: this.#fitParty(2) });
      else if (!this.room) {
        this.#set({ roomId: room.id });
        this.#set({ partySize: this.#fitParty(2) });
      }
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
    if (roomId === this.state.roomId || !this.roomOf(roomId)) return;
    this.#set({ roomId, notice: null });
    this.#set({ partySize: this.#fitParty(this.state.partySize) });
    await this.#loadMonth();
  }

  async setPartySize(partySize: number): Promise<void> {
    if (this.#fitParty(partySize) !== partySize) return;
    this.#set({ partySize, notice: null });
    // On the waitlist nothing is looked up.
    if (this.state.step === "waitlist") return;
    // Somebody who taps "more" four times asks once.
    const search = ++this.#search;
    await this.world.wait(200);
    if (search === this.#search) await this.#loadMonth();
  }

  #fitParty(partySize: number): number {
    const { minimum, maximum } = this.party;
    return Math.min(Math.max(partySize, minimum), maximum);
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

  /** Whether choosing the day leads anywhere: to times, or to the waitlist. */
  canSelect(day: string): boolean {
    return this.slotsOn(day).length > 0 || this.canWaitFor(day);
  }

  /** Whether something that is taken on a day, or in the shown month, could become free. */
  canWaitFor(date: string): boolean {
    const { step, slots, taken } = this.state;
    return step === "choose" && slots !== null && taken.some((day) => day.startsWith(date));
  }

  selectDay(day: string): void {
    if (!this.canSelect(day)) return;
    const times = this.slotsOn(day).length;
    this.#set({
      day,
      focusDay: day,
      notice: null,
      announcement: this.#say((strings, format) =>
        `${format.day(day)}: ${times > 0 ? strings.dayFree(times) : strings.dayFull}`
      ),
    });
  }

  slotsOn(day: string): readonly Slot[] {
    const { slots } = this.state;
    if (!slots) return [];
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

  /** Ask to be told when something becomes free on the chosen day, or in the shown month. */
  openWaitlist(): void {
    const { day, month } = this.state;
    const whole = this.state.slots?.length === 0 || day === null;
    this.waitlist.open(
      this.#clamp(whole ? firstDay(month) : day),
      this.#clamp(whole ? lastDay(month) : day),
    );
  }

  /** Look at month after month until one has something free. */
  async findNextFree(): Promise<void> {
    const search = ++this.#search;
    this.#set({ busy: "search" });
    try {
      for (let month = this.state.month; this.canShow(month); month = addMonths(month, 1)) {
        const slots = await this.#slots(month);
        if (search !== this.#search) return;
        if (slots.some(this.#free)) {
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
    if (this.state.step === "move") return await this.moving.quote(slot);
    this.#set({
      step: "details",
      slot,
      wishes: fitWishes(this.state.wishes, this.roomOf(slot.room_id), slot),
      quote: null,
      oldTotal: null,
      fieldErrors: {},
      codeProblem: null,
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
      pricing: false,
      oldTotal: null,
      waiting: null,
      fieldErrors: {},
      notice: null,
      focus: this.#focusOn("heading"),
    });
    void this.#loadMonth();
  }

  /** Ask again what is free when the visitor comes back to a page that lay open. */
  async wake(): Promise<void> {
    const { step } = this.state;
    if (step === "choose" || step === "move") await this.#loadMonth("quiet");
    else if (step === "pay" && this.state.booking) await this.checkAgain();
  }

  async #firstMonth(): Promise<void> {
    const { first } = this.range;
    this.#cache.clear();
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
      const found = monthOf(slots.find(this.#free)?.local_date ?? first);
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

  /** Whether the party can have it, and need not wait for it. */
  #free = (slot: Slot): boolean => slot.seats_available >= this.state.partySize;

  #showSlots(all: readonly Slot[], manner?: "quiet"): void {
    const slots = all.filter(this.#free);
    const taken = all.filter((slot) => !this.#free(slot)).map((slot) => slot.local_date);
    this.#set({ taken });
    const days = new Set(slots.map((slot) => slot.local_date));
    const { day, month, focusDay } = this.state;
    // A full day that was chosen for its waitlist stays chosen when it is only looked at again.
    const waits = manner === "quiet" && day !== null && this.canWaitFor(day);
    const kept = day !== null && (days.has(day) || waits) ? day : slots[0]?.local_date ?? null;
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
      ...(this.state.roomId === null ? {} : { room_id: this.state.roomId }),
      party_size: this.state.partySize,
      ...(this.state.calendar?.waitlist ? { include_taken: true } : {}),
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
    const before = this.state.fieldErrors[field];
    this.#mark(field, value === "" && !before ? null : validateField(field, value));
  }

  /** Answer one of the venue's questions. */
  answer(key: string, value: string | boolean): void {
    this.state = { ...this.state, answers: { ...this.state.answers, [key]: value } };
    if (this.state.fieldErrors[fieldName(key)] || typeof value === "boolean") {
      this.leaveAnswer(key);
    }
  }

  leaveAnswer(key: string): void {
    const question = this.state.calendar?.fields?.find((field) => field.key === key);
    if (!question) return;
    const name = fieldName(key);
    const value = this.state.answers[key];
    const silent = !value && !this.state.fieldErrors[name];
    this.#mark(name, silent ? null : validateAnswer(question, value));
  }

  #mark(name: string, problem: FieldErrors[string] | null): void {
    const { [name]: _, ...others } = this.state.fieldErrors;
    this.#set({ fieldErrors: problem ? { ...others, [name]: problem } : others });
  }

  typeNote(note: string): void {
    this.state = { ...this.state, note: note.slice(0, NOTE_LENGTH) };
  }

  agree(terms: boolean): void {
    this.#set({ terms });
    this.#mark("terms", null);
  }

  allowMarketing(marketing: boolean): void {
    this.#set({ marketing });
  }

  /** What cannot be booked like this, in the order of the form. */
  #problems(): FieldErrors {
    const { calendar, form, answers, terms } = this.state;
    const agreed = terms || termsText(calendar, this.world.locale()) === "";
    return {
      ...validate(form),
      ...validateAnswers(calendar?.fields ?? [], answers),
      ...(agreed ? {} : { terms: "requiredTerms" }),
    };
  }

  async submitDetails(): Promise<void> {
    if (this.state.busy) return;
    const fieldErrors = this.#problems();
    this.#set({ fieldErrors, notice: null });
    if (Object.keys(fieldErrors).length > 0) return this.#focusOnProblem();
    if (!this.state.quote || this.state.pricing) await this.#requote();
    const { quote, pricing } = this.state;
    if (quote && !pricing && this.state.step === "details") await this.#hold(quote);
  }

  #focusOnProblem(): void {
    const wrong = Object.keys(this.state.fieldErrors);
    this.#set({
      focus: this.#focusOn(controlOf(wrong[0]!)),
      announcement: this.#say((strings) => strings.checkFields(wrong.length)),
    });
  }

  // ---- what the booking costs ----

  async setExtra(extraId: string, quantity: number): Promise<void> {
    const extra = this.room?.extras?.find(({ id }) => id === extraId);
    if (!extra || quantity < 0 || quantity > extra.maximum_quantity) return;
    const { wishes } = this.state;
    await this.#wish({ extras: { ...wishes.extras, [extraId]: quantity } });
  }

  async setExclusive(exclusive: boolean): Promise<void> {
    await this.#wish({ exclusive });
  }

  get canBeExclusive(): boolean {
    const { slot } = this.state;
    return slot !== null && this.room !== null && exclusiveOffered(this.room, slot);
  }

  async removeCode(kind: "coupon" | "voucher"): Promise<void> {
    this.#set({ focus: this.#focusOn("code") });
    await this.#wish({ [kind]: null });
  }

  /** Price what is wished for, once the visitor has stopped for a moment. */
  async #wish(change: Partial<State["wishes"]>): Promise<void> {
    this.#set({
      wishes: { ...this.state.wishes, ...change },
      pricing: true,
      oldTotal: null,
      notice: null,
    });
    const quoting = ++this.#quoting;
    await this.world.wait(250);
    if (quoting === this.#quoting) await this.#requote("say");
  }

  typeCode(code: string): void {
    this.state = { ...this.state, code: code.slice(0, CODE_LENGTH) };
    if (this.state.codeProblem) this.#set({ codeProblem: null });
  }

  /** A code may be a discount or a gift voucher: the visitor does not need to know which. */
  async applyCode(): Promise<void> {
    const { calendar, wishes, busy } = this.state;
    const code = this.state.code.trim();
    if (busy) return;
    if (code === "") {
      return this.#set({ codeProblem: "code_required", focus: this.#focusOn("code") });
    }
    const kinds = [
      calendar?.has_coupons && "coupon",
      calendar?.has_vouchers && "voucher",
    ].filter((kind) => kind === "coupon" || kind === "voucher");
    let problem = "";
    this.#set({ busy: "code", codeProblem: null });
    const quoting = ++this.#quoting;
    for (const kind of kinds) {
      const wished = { ...wishes, [kind]: code };
      try {
        const quote = await this.#quote(wished);
        if (quoting !== this.#quoting || !quote) return this.#set({ busy: null });
        return this.#set({
          busy: null,
          wishes: wished,
          quote,
          pricing: false,
          code: "",
          oldTotal: null,
          announcement: this.#say((strings, format) =>
            `${strings.codeApplied} ${
              strings.totalNow(format.money(quote.total_cents, quote.currency))
            }`
          ),
          focus: this.#focusOn("code"),
        });
      } catch (error) {
        problem = error instanceof ApiError ? error.code : "unexpected";
        if (problem !== `${kind}_not_found`) break;
      }
    }
    this.#set({ busy: null });
    if (codeRefusal.test(problem)) {
      this.#set({ codeProblem: problem, focus: this.#focusOn("code") });
      // What was wished for just before has not been priced yet.
      if (this.state.pricing && quoting === this.#quoting) await this.#requote();
    } else await this.#refused(new ApiError(problem, 0));
  }

  #quote(wishes: State["wishes"]): Promise<Quote> | null {
    const { slot, partySize } = this.state;
    if (!slot) return null;
    return this.world.api.quote({
      slug: this.world.slug,
      room_id: slot.room_id,
      starts_at: slot.starts_at,
      party_size: partySize,
      ...toOptions(wishes),
      locale: this.world.locale(),
    });
  }

  async #requote(manner?: "say"): Promise<void> {
    const quoting = ++this.#quoting;
    try {
      const quote = await this.#quote(this.state.wishes);
      if (quoting !== this.#quoting || !quote) return;
      this.#set({
        quote,
        pricing: false,
        ...(manner === "say"
          ? {
            announcement: this.#say((strings, format) =>
              strings.totalNow(format.money(quote.total_cents, quote.currency))
            ),
          }
          : {}),
      });
    } catch (error) {
      if (quoting === this.#quoting) await this.#refused(error);
    }
  }

  /** Who books or waits, with the answers to the venue's questions and what they agreed to. */
  #person(): Pick<HoldRequest, "customer" | "fields" | "consents"> {
    const { form, calendar } = this.state;
    const phone = form.phone.trim();
    const locale = this.world.locale();
    const answers = toAnswers(calendar?.fields ?? [], this.state.answers);
    const consents = toConsents(this.state, locale);
    return {
      customer: {
        full_name: form.full_name.trim(),
        email: form.email.trim(),
        ...(phone === "" ? {} : { phone }),
        locale,
      },
      ...(Object.keys(answers).length > 0 ? { fields: answers } : {}),
      ...(consents.length > 0 ? { consents } : {}),
    };
  }

  async #hold(quote: Quote): Promise<void> {
    const { calendar, note } = this.state;
    const request: Omit<HoldRequest, "idempotency_key"> = {
      slug: this.world.slug,
      room_id: quote.room_id,
      starts_at: quote.starts_at,
      party_size: quote.party_size,
      ...this.#person(),
      expected_total_cents: quote.total_cents,
      ...toOptions(this.state.wishes),
      ...(note.trim() === "" ? {} : { customer_note: note.trim() }),
    };
    this.#set({ busy: "hold", notice: null });
    try {
      const idempotency_key = this.#attempt.key(request);
      const held = await this.world.api.hold({ ...request, idempotency_key });
      const { manage_token, ...fields_ } = held;
      this.#attempt.done();
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
        paid_cents: quote.voucher_cents ?? 0,
        refunded_cents: 0,
        customer: { full_name: request.customer.full_name, email: request.customer.email },
        organization: { name: calendar?.organization.name ?? "" },
        lines: quote.lines,
        cancellable: false,
        cancellation: { refund_percent: 0, refund_cents: 0 },
        history: [],
      };
      this.#set({ busy: null, oldTotal: null });
      if (held.status === "held" && payableNow(quote) > 0) return this.#enterPay(booking);
      await this.#show(await this.world.api.getBooking(this.#key(held.reference)), "success");
    } catch (error) {
      this.#set({ busy: null });
      await this.#refused(error);
    }
  }

  /** `paid`: what was paid when the visitor left for the payment page. */
  #remember(reference: string, paid?: number): void {
    const { slug, store } = this.world;
    if (this.#token) {
      const kept = { token: this.#token, calendar: slug, skew: this.#skew };
      store.save(reference, paid === undefined ? kept : { ...kept, paid });
    }
    if (this.state.step !== "booking") store.setOpen(slug, reference);
  }

  /** A quote or a hold was refused: say why, in the place where it can be mended. */
  async #refused(error: unknown): Promise<void> {
    const { code, details } = error instanceof ApiError
      ? error
      : { code: "unexpected", details: {} as ApiError["details"] };
    const { quote, wishes } = this.state;
    if (goneCodes.has(code)) return await this.#lookAgain(error, "choose");
    if (code === "total_changed" && quote) {
      this.#set({ quote: null });
      await this.#requote();
      if (this.state.quote) {
        this.#set({ oldTotal: quote.total_cents, focus: this.#focusOn("notice") });
      }
      return;
    }
    const kind = codeRefusal.exec(code)?.[1];
    if (kind === "coupon" || kind === "voucher") {
      // What can be had without the code is shown beside what is wrong with it.
      this.#set({
        wishes: { ...wishes, [kind]: null },
        quote: null,
        code: wishes[kind] ?? "",
        codeProblem: code,
        focus: this.#focusOn("code"),
      });
      return await this.#requote();
    }
    if (code === "extra_sold_out" && typeof details.extra_id === "string") {
      const left = Math.max(0, Number(details.left) || 0);
      const wished = wishes.extras[details.extra_id] ?? 0;
      const extras = { ...wishes.extras, [details.extra_id]: Math.min(left, wished - 1) };
      if (wished > 0) {
        this.#set({ wishes: { ...wishes, extras }, quote: null });
        await this.#requote();
      }
      return this.#set({
        notice: { tone: "error", text: (strings) => strings.extraLeft(left) },
        focus: this.#focusOn("notice"),
      });
    }
    if (code === "exclusive_not_offered" || /^extras?_/.test(code)) {
      const chosen = wishes.exclusive || Object.keys(wishes.extras).length > 0;
      if (chosen) {
        this.#set({ wishes: { ...wishes, extras: {}, exclusive: false }, quote: null });
        await this.#requote();
      }
      return this.#set({
        notice: this.#problem(new ApiError("extras_invalid", 422)),
        focus: this.#focusOn("notice"),
      });
    }
    const fieldErrors = this.#refusedFields(error);
    if (Object.keys(fieldErrors).length > 0) {
      this.#set({ fieldErrors });
      return this.#focusOnProblem();
    }
    this.#set({
      pricing: false,
      notice: this.#problem(error),
      focus: this.#focusOn("notice"),
    });
  }

  #refusedFields(error: unknown): FieldErrors {
    if (!(error instanceof ApiError)) return {};
    const { code, details } = error;
    if (code === "terms_not_accepted") return { terms: "requiredTerms" };
    const refused = code === "customer_invalid" ? refusedField(details.field) : null;
    if (refused) return { [refused.field]: refused.problem };
    const question = code === "field_invalid" &&
      this.state.calendar?.fields?.find((field) => field.key === details.field);
    return question ? { [fieldName(question.key)]: refusedAnswer(question, details.rule) } : {};
  }

  /** Back to what is free, with the reason why. */
  async #lookAgain(error: unknown, step: "choose" | "move"): Promise<void> {
    this.#attempt.done();
    this.#cache.clear();
    this.#set({
      step,
      slot: null,
      quote: null,
      pricing: false,
      oldTotal: null,
      notice: this.#problem(error),
      focus: this.#focusOn("notice"),
    });
    await this.#loadMonth();
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
    const { booking, busy, step } = this.state;
    if (!booking || busy) return;
    if (step === "pay" && dueNow(booking) === 0) return await this.#accept(booking);
    this.#set({ busy: "pay", notice: null });
    this.#remember(booking.reference, booking.paid_cents);
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
      const over = code === "nothing_due" || code === "not_payable";
      if (over && step === "pay") await this.checkAgain();
      const known = code in { not_payable: 1, booking_not_found: 1, network: 1 };
      if (this.state.step !== step) return;
      const text: Text = (strings) =>
        step === "booking" ? strings.payAtVenue : strings.errors.payment_unavailable ?? "";
      this.#set({
        notice: known && step === "pay" ? this.#problem(error) : { tone: "error", text },
        focus: this.#focusOn("notice"),
      });
    }
  }

  /** Take a place that the waitlist offers and nothing is due for. */
  async #accept(booking: Booking): Promise<void> {
    this.#set({ busy: "hold", notice: null });
    try {
      const taken = await this.world.api.acceptOffer(this.#key(booking.reference));
      this.#set({ busy: null });
      this.#enterBooking(taken, true);
    } catch (error) {
      this.#set({ busy: null });
      await this.checkAgain();
      this.#set({ notice: this.#problem(error), focus: this.#focusOn("notice") });
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
    if (await this.#giveBack()) await this.bookAnother();
  }

  /** Give the held time back and go on changing the details. */
  async backToDetails(): Promise<void> {
    const { slot } = this.state;
    if (!await this.#giveBack()) return;
    if (!slot) return await this.bookAnother();
    this.#forget();
    this.#set({ booking: null });
    await this.chooseSlot(slot);
  }

  async #giveBack(): Promise<boolean> {
    const { booking, busy } = this.state;
    if (!booking || busy) return false;
    this.#set({ busy: "release" });
    try {
      await this.world.api.cancelBooking(this.#key(booking.reference));
    } catch {
      // It lapses by itself.
    }
    this.#set({ busy: null });
    return true;
  }

  #forget(): void {
    this.world.store.setOpen(this.world.slug, null);
    this.world.clearAddress();
    this.#entry = { reference: null, token: null, payment: null };
    this.#token = null;
    this.#cache.clear();
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
    // More was paid for a booking that was confirmed before: the money shows when it is there.
    const more = payment === "success" && booking.status === "confirmed" &&
      booking.paid_cents === this.world.store.load(booking.reference)?.paid;
    if ((waiting && (payment === "success" || booking.status === "pending")) || late || more) {
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
    if (payment === "success") this.#enterPaid(booking);
    else this.#enterBooking(booking, false);
  }

  /** The first payment confirms a booking, what comes later only pays for it. */
  #enterPaid(booking: Booking): void {
    const before = this.world.store.load(booking.reference)?.paid ?? 0;
    const confirmed = booking.status === "confirmed";
    this.#enterBooking(booking, confirmed && before === 0);
    if (confirmed && before > 0) {
      this.#set({ notice: { tone: "info", text: (strings) => strings.paidText } });
    }
  }

  /** The page reads the booking, not the redirect: it waits until the money has arrived. */
  async #awaitConfirmation(booking: Booking): Promise<void> {
    this.#set({ step: "confirming", booking, notice: null, focus: this.#focusOn("heading") });
    const until = this.world.now() + CONFIRM_LIMIT_MS;
    for (let pause = 500; this.world.now() < until && !this.#stopped; pause *= 1.4) {
      await this.world.wait(Math.min(pause, 4_000));
      try {
        const now = await this.world.api.getBooking(this.#key(booking.reference));
        const paid = now.paid_cents !== booking.paid_cents || booking.status !== "confirmed";
        if (!["held", "pending", "expired"].includes(now.status) && paid) {
          return this.#enterPaid(now);
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

  #moved(booking: Booking): void {
    this.#cache.clear();
    this.#enterBooking(booking, false);
    this.#set({ notice: { tone: "info", text: (strings) => strings.moved } });
    this.world.emit("rescheduled", booking.reference);
  }

  /** The grid again, at the booking's own room, party and month. */
  async #enterMove(booking: Booking): Promise<void> {
    const rooms = this.state.calendar?.rooms ?? [];
    const room = this.roomOf(booking.room_id) ?? rooms[0];
    if (!room) throw new ApiError("not_reschedulable", 409);
    const day = localDate(Date.parse(booking.starts_at), booking.timezone);
    this.#cache.clear();
    this.#set({
      step: "move",
      slot: null,
      moveQuote: null,
      oldTotal: null,
      roomId: room.id,
      partySize: booking.party_size,
      day,
      focus: this.#focusOn("heading"),
    });
    this.#set({ partySize: this.#fitParty(booking.party_size) });
    this.#set({ focusDay: this.#clamp(day), month: monthOf(this.#clamp(day)) });
    await this.#loadMonth();
  }

  /** Back from the times of a move to the grid. */
  async backToMove(): Promise<void> {
    const focus = this.#focusOn("heading");
    this.#set({ step: "move", slot: null, moveQuote: null, notice: null, focus });
    await this.#loadMonth();
  }

  async #afterWaiver(): Promise<void> {
    const { booking } = this.state;
    if (!booking) return await this.bookAnother();
    try {
      const now = await this.world.api.getBooking(this.#key(booking.reference));
      this.#enterBooking(now, false);
    } catch {
      this.#enterBooking(booking, false);
    }
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
    this.#forget();
    this.#set({
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
      slots: null,
    });
    const focus = this.#focusOn("heading");
    // Nothing has been chosen yet on a page that was opened at a booking.
    if (this.state.month === "") return await this.#enterChoose(focus);
    // Moving a booking looked at one room.
    if (this.dateFirst) this.#set({ roomId: null });
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
