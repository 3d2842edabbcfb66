/** Entering: what the address, the browser and the page say of where the visitor begins. */
import type { Booking, BookingCalendar } from "../../_shared/booking.ts";
import { ApiError } from "./api.ts";
import type { Flow } from "./flow.ts";
import type { State } from "./state.ts";
import type { Mark } from "./trail.ts";
import type { Entry } from "./world.ts";

export class Entering {
  /** The calendar where the way did not begin at it; null where it could not be had. */
  dressed: Promise<BookingCalendar | null> | BookingCalendar | null = null;

  constructor(
    readonly flow: Flow,
    /** What the address said; nothing once the visitor has gone on to something else. */
    public entry: Entry,
  ) {}

  async start(): Promise<void> {
    const { flow } = this;
    const { store, slug, preset } = flow.world;
    const { entry } = this;
    flow.details.restore();
    try {
      // The reference of an ordered voucher is its id, which is long.
      if (preset.vouchers || entry.reference?.[35]) {
        this.#dress();
        if (await (await flow.loadMore()).vouchers.enter()) return;
      }
      if (entry.waiver || entry.leave || entry.confirm) {
        this.#dress();
        const more = await flow.loadMore();
        flow.base = entry.confirm ? "booking" : entry.waiver ? "waiver" : "leave";
        if (entry.confirm) await more.managing.confirm(entry.reference ?? "", entry.confirm);
        else if (entry.waiver) await more.waivers.open(entry.waiver);
        else await more.waitlist.openLink(entry.leave ?? "");
        return;
      }
      const open = entry.reference ?? store.open(slug);
      if (open === null) return await this.choose();
      await this.#reopen(open);
    } catch (error) {
      flow.fail(error);
    }
  }

  /** The booking that the address names, or that was left before it was paid. */
  async #reopen(reference: string): Promise<void> {
    const { flow } = this;
    const { store, slug, api } = flow.world;
    const { entry } = this;
    const remembered = store.load(reference);
    flow.token = entry.token ?? remembered?.token ?? null;
    flow.clock.skew = remembered?.skew ?? 0;
    if (flow.token === null) {
      // A payment that came back to another browser, or a stale mark of this one.
      if (entry.reference === null) return await this.choose();
      await flow.loadMore();
      return flow.set({ step: "elsewhere", focus: flow.focusOn("heading") });
    }
    if (entry.token !== null) {
      store.save(reference, {
        ...remembered,
        token: entry.token,
        calendar: slug,
        skew: flow.clock.skew,
      });
    }
    this.#dress();
    let booking: Booking;
    try {
      booking = await api.getBooking(flow.key(reference));
    } catch (error) {
      if (entry.reference !== null || flow.isTransient(error)) throw error;
      store.setOpen(slug, null);
      return await this.choose();
    }
    flow.clock.hear();
    if (entry.reference === null && !/^(held|pending|confirmed)$/.test(booking.status)) {
      store.setOpen(slug, null);
      return await this.choose();
    }
    if (entry.reference !== null) flow.base = "booking";
    const mark = flow.trail.read();
    if (mark?.slot) {
      const { slot, roomId = null, partySize = booking.party_size } = mark;
      flow.set({ slot, roomId, partySize });
    }
    const show = () => flow.paying.show(booking, entry.payment);
    // A reload on the price of a move, or on a waiver, stays there.
    if (!/^(move|waiver)/.test(mark?.step ?? "")) return await show();
    await flow.trail.quietly(async () => {
      await show();
      if (flow.state.step === "booking") await flow.trail.resume();
    });
    flow.trail.replace();
  }

  /** The calendar's colours and languages, where the way does not begin at it. */
  #dress(): void {
    this.dressed = this.#calendar().catch(() => null);
  }

  async #calendar(): Promise<BookingCalendar> {
    const { flow } = this;
    const calendar = flow.state.calendar ?? await flow.world.api.getCalendar(flow.world.slug);
    if (!flow.state.calendar) {
      flow.clock.hear(calendar.now);
      flow.set({ calendar });
    }
    return this.dressed = calendar;
  }

  async choose(focus: State["focus"] = null): Promise<void> {
    const { flow } = this;
    const { preset } = flow.world;
    const mark = flow.trail.read();
    try {
      const calendar = await this.#calendar();
      if (calendar.rooms.length === 0) throw new ApiError("calendar_not_found", 404);
      if (!flow.room) {
        const named = (name: string | null | undefined) =>
          calendar.rooms.find((room) => room.id === name || room.slug === name);
        const room = named(mark?.roomId) ?? named(preset.room);
        const first = flow.dateFirst ? null : calendar.rooms[0]!.id;
        flow.set({ roomId: room?.id ?? first });
        flow.set({ partySize: flow.choosing.fitParty(mark?.partySize ?? preset.party ?? 2) });
      }
      const { coupon } = preset;
      if (coupon && calendar.has_coupons && !mark?.slot) {
        flow.set({ wishes: { ...flow.state.wishes, coupon } });
      }
      flow.set({ step: "choose", ...(focus ? { focus } : {}) });
      if (mark?.step === "details" && mark.slot) return await this.#resume(mark);
      const { waiting } = mark ?? {};
      if (waiting && calendar.waitlist) {
        flow.choosing.at(mark?.day ?? waiting.from);
        await flow.withMore(({ waitlist }) => waitlist.resume(waiting, mark!.step));
        if (flow.state.step === "choose") await flow.choosing.loadMonth();
        return;
      }
      // What the entry was about is over: it is about this now.
      if (mark) flow.trail.replace();
      await flow.choosing.firstMonth(preset.date);
    } catch (error) {
      flow.fail(error);
    }
  }

  /** A reload on "your details" stays there. */
  async #resume({ slot }: Mark): Promise<void> {
    const { flow } = this;
    if (!slot || !flow.roomOf(slot.room_id)) return await flow.choosing.firstMonth();
    const { shown } = flow.details;
    await flow.choosing.chooseSlot(slot);
    await flow.details.compare(shown, true);
  }
}
