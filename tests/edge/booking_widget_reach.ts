/** How a visitor comes to each function that the widget calls, to see what it makes of the answer. */
import type { Booking } from "../../edge/_shared/booking.ts";
import type { Api } from "../../edge/booking-widget/src/api.ts";
import {
  booking,
  confirmed,
  type Setting,
  setting,
  slot,
  toRichDetails,
  voucherOrder,
  waiver,
} from "./booking_widget_world.ts";

const offered: Booking = { ...booking, due_now_cents: 0 };
const link = { reference: "ABCD-2345", token: "secret" };
const movable: Booking = {
  ...confirmed,
  reschedulable: true,
  waiver: { policy: "required", signed: 0, needed: 2, missing: 2, token: "w" },
};
export type Refusing = (api: Partial<Api>, entry?: object) => Setting;

async function atBooking(visit: Refusing, of = movable): Promise<Setting> {
  const made = visit({ getBooking: () => Promise.resolve(of) }, link);
  await made.flow.start();
  return made;
}

async function waiting(visit: Refusing): Promise<Setting> {
  const made = visit({});
  await toRichDetails(made);
  made.flow.choosing.backToChoose();
  (await made.flow.loadMore()).waitlist.open(slot.local_date, slot.local_date);
  return made;
}

/** How a visitor comes to each function, and has it refuse. */
export const reach: Record<keyof Api, ((visit: Refusing) => Promise<Setting>) | null> = {
  serverTime: null,
  // The service's: docs/money.md lists what it answers, and a test of the promises what is said.
  checkout: null,
  // What is asked for gift vouchers, below.
  rpc: null,
  serve: null,
  getCalendar: async (visit) => {
    const made = visit({});
    await made.flow.start();
    return made;
  },
  getAvailabilityDays: async (visit) => {
    const made = visit({});
    await made.flow.start();
    return made;
  },
  getAvailability: async (visit) => {
    const made = visit({});
    await made.flow.start();
    return made;
  },
  quote: async (visit) => {
    const made = visit({});
    const { flow } = made;
    await flow.start();
    flow.set({ wishes: { extras: { x1: 1 }, exclusive: false, coupon: "ONE", voucher: "TWO" } });
    await flow.choosing.chooseSlot(slot);
    return made;
  },
  hold: async (visit) => {
    const made = visit({});
    await toRichDetails(made);
    made.flow.state = {
      ...made.flow.state,
      wishes: { extras: { x1: 1 }, exclusive: false, coupon: "ONE", voucher: "TWO" },
    };
    await made.flow.details.submitDetails();
    return made;
  },
  getBooking: async (visit) => {
    const made = visit({}, link);
    await made.flow.start();
    return made;
  },
  confirmBooking: async (visit) => {
    const made = visit({}, { reference: "ABCD-2345", confirm: "c" });
    await made.flow.start();
    return made;
  },
  cancelBooking: async (visit) => {
    const made = await atBooking(visit);
    await made.flow.more!.managing.confirmCancel();
    return made;
  },
  quoteReschedule: async (visit) => {
    const made = await atBooking(visit);
    await made.flow.more!.moving.start();
    await made.flow.choosing.chooseSlot(slot);
    return made;
  },
  reschedule: async (visit) => {
    const made = await atBooking(visit);
    await made.flow.more!.moving.start();
    await made.flow.choosing.chooseSlot(slot);
    await made.flow.more!.moving.confirm();
    return made;
  },
  emailMyBookings: async (visit) => {
    const made = visit({});
    await made.flow.start();
    (await made.flow.loadMore()).resending.open();
    made.flow.details.type("email", "maria@example.test");
    await made.flow.more!.resending.send();
    return made;
  },
  joinWaitlist: async (visit) => {
    const made = await waiting(visit);
    await made.flow.more!.waitlist.join();
    return made;
  },
  getWaitlistEntry: async (visit) => {
    const made = visit({}, { leave: "l" });
    await made.flow.start();
    return made;
  },
  leaveWaitlist: async (visit) => {
    const made = visit({}, { leave: "l" });
    await made.flow.start();
    await made.flow.more!.waitlist.leave("l");
    return made;
  },
  acceptOffer: async (visit) => {
    const made = await atBooking(visit, offered);
    await made.flow.paying.pay();
    return made;
  },
  getWaiver: async (visit) => {
    const made = visit({}, { waiver: "w" });
    await made.flow.start();
    return made;
  },
  signWaiver: async (visit) => {
    const made = visit({}, { waiver: "w" });
    await made.flow.start();
    const { waivers } = made.flow.more!;
    waivers.addMinor();
    waivers.changeMinor(0, { name: "Kim", year: "2015" });
    waivers.change({ name: "Maria", agreed: waiver.text, manner: "type" });
    await waivers.sign((name) => name);
    return made;
  },
};

/** How a visitor comes to each function that is asked for gift vouchers. */
export const vouchers: Record<string, (api: Partial<Api>) => Promise<Setting>> = {
  get_voucher_offer: async (api) => {
    const made = setting(api, {}, undefined, { preset: { vouchers: true } });
    await made.flow.start();
    return made;
  },
  order_voucher: async (api) => {
    const made = await vouchers.get_voucher_offer!(api);
    made.flow.details.type("full_name", "Maria");
    made.flow.details.type("email", "maria@example.test");
    await made.flow.more!.vouchers.buy();
    return made;
  },
  get_voucher_order: async (api) => {
    const made = setting(api, { reference: voucherOrder.order_id, token: "secret" });
    await made.flow.start();
    return made;
  },
};
