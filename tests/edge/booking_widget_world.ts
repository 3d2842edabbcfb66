/** A visitor of the booking widget without a browser: its flow in a world that answers as told. */
import type {
  Booking,
  BookingCalendar,
  CustomField,
  Day,
  Quote,
  RescheduleQuote,
  Slot,
  VoucherOffer,
  VoucherOrder,
  WaitlistEntry,
  Waiver,
} from "../../edge/_shared/booking.ts";
import {
  type Api,
  ApiError,
  type ApiOptions,
  createApi,
  type HoldRequest,
  restOfApi,
} from "../../edge/booking-widget/src/api.ts";
import { textIn } from "../../edge/booking-widget/src/customer.ts";
import type { VNode } from "../../edge/booking-widget/src/dom.ts";
import { Flow } from "../../edge/booking-widget/src/flow.ts";
import { createFormat } from "../../edge/booking-widget/src/format.ts";
import type { languages } from "../../edge/booking-widget/src/language.ts";
import { createMore } from "../../edge/booking-widget/src/more.ts";
import type { Text } from "../../edge/booking-widget/src/state.ts";
import { createStore, type Store } from "../../edge/booking-widget/src/store.ts";
import { stringsFor as firstStringsFor } from "../../edge/booking-widget/src/strings.ts";
import { type MoreStrings, withMoreStrings } from "../../edge/booking-widget/src/strings_more.ts";
import type { Mark } from "../../edge/booking-widget/src/trail.ts";
import { render } from "../../edge/booking-widget/src/views/index.ts";
import type { Entry, Told, World } from "../../edge/booking-widget/src/world.ts";

export const stringsFor = (language: typeof languages[number]): MoreStrings =>
  withMoreStrings(firstStringsFor(language), language);

export const now = Date.parse("2026-11-23T10:00:00Z");
export const calendar: BookingCalendar = {
  now: new Date(now).toISOString(),
  slug: "casa",
  name: "Casa",
  organization: { name: "Casa", slug: "casa" },
  timezone: "Europe/Madrid",
  locale: "es",
  locales: ["es", "en"],
  currency: "EUR",
  minimum_notice_minutes: 60,
  maximum_advance_days: 60,
  hold_minutes: 15,
  has_coupons: false,
  has_vouchers: false,
  flow: "room_first",
  theme: "auto",
  accent_color: null,
  terms: {},
  fee: { kind: "none", value: 0 },
  waitlist: false,
  shows_taken_times: false,
  fields: [],
  descriptions: {},
  venue: {
    logo_path: null,
    website: null,
    contact_email: null,
    phone: null,
    descriptions: {},
    business_type: null,
  },
  locations: [{
    id: "l1",
    name: "Casa",
    timezone: "Europe/Madrid",
    address: "",
    phone: null,
    latitude: null,
    longitude: null,
    directions: {},
  }],
  rooms: ["r1", "r2"].map((id, index) => ({
    id,
    name: id,
    slug: id,
    description: "",
    minimum_party: 2 + index * 3,
    maximum_party: 8,
    capacity: 8,
    duration_minutes: 60,
    minimum_notice_minutes: 60,
    maximum_advance_days: 60,
    mode: "private",
    price_per: "session",
    price_cents: 8900,
    exclusive_price_cents: null,
    deposit: { kind: "full", value: 0 },
    cancellation: [],
    waiver_policy: "none",
    difficulty: 3,
    images: [],
    extras: [],
    location_name: "Casa",
    timezone: "Europe/Madrid",
    names: {},
    descriptions: {},
    theme: null,
    color: null,
    video_url: null,
    minimum_age: null,
    minimum_age_accompanied: null,
    fear: null,
    physical_level: null,
    languages: [],
    is_accessible: false,
    has_actors: false,
    tags: [],
    location_id: "l1",
  })),
};
export const slot: Slot = {
  room_id: "r1",
  starts_at: "2026-12-04T17:00:00Z",
  ends_at: "2026-12-04T18:00:00Z",
  local_date: "2026-12-04",
  local_time: "18:00",
  timezone: "Europe/Madrid",
  seats_available: 8,
  price_cents: 8900,
  currency: "EUR",
  is_empty: true,
};
/** What the days' answer says of the times that the other one lists. */
export const daysOf = (times: readonly Slot[], party: number): Day[] =>
  [...new Set(times.map((time) => time.local_date))].sort().map((local_date) => {
    const all = times.filter((time) => time.local_date === local_date);
    const prices = all.filter((time) => time.seats_available >= party)
      .map((time) => time.price_cents);
    return {
      local_date,
      free: prices.length,
      taken: all.length - prices.length,
      price_cents: prices.length > 0 ? Math.min(...prices) : null,
      highest_price_cents: prices.length > 0 ? Math.max(...prices) : null,
    };
  });
export const quote: Quote = {
  room_id: "r1",
  starts_at: slot.starts_at,
  ends_at: slot.ends_at,
  party_size: 2,
  currency: "EUR",
  lines: [],
  total_cents: 8900,
  tax_cents: 1545,
  due_now_cents: 8900,
  voucher_cents: 0,
  terms: { tiers: [], no_show_fee_percent: 0 },
};
export const changeQuote: RescheduleQuote = {
  room_id: "r1",
  starts_at: slot.starts_at,
  ends_at: slot.ends_at,
  party_size: 2,
  exclusive: false,
  extras: [],
  currency: "EUR",
  lines: [],
  total_cents: 9900,
  tax_cents: 1718,
  due_now_cents: 9900,
  difference_cents: 1000,
  refund_cents: 0,
  open_cents: 1000,
  terms: { tiers: [], no_show_fee_percent: 0 },
  disputed_cents: 0,
};
export const booking: Booking = {
  reference: "ABCD-2345",
  status: "held",
  hold_expires_at: new Date(now + 15 * 60_000).toISOString(),
  starts_at: slot.starts_at,
  ends_at: slot.ends_at,
  timezone: "Europe/Madrid",
  room_id: "r1",
  room_name: "r1",
  party_size: 2,
  seats: 2,
  exclusive: false,
  extras: [],
  fields: {},
  customer_note: "",
  currency: "EUR",
  total_cents: 8900,
  due_now_cents: 8900,
  confirm_by_email: false,
  payable_cents: 8900,
  rest_payable_until: null,
  paid_cents: 0,
  refunded_cents: 0,
  customer: { full_name: "Maria", email: "maria@example.test" },
  organization: { name: "Casa", slug: "casa" },
  lines: [],
  cancellable: true,
  cancellation: { refund_percent: 50, refund_cents: 4450, disputed_cents: 0, lost_cents: 0 },
  history: [],
};

export const waitlistEntry: WaitlistEntry = {
  status: "waiting",
  calendar_slug: "casa",
  organization: { name: "Casa", slug: "casa" },
  room_id: null,
  room_name: null,
  from_date: "2026-12-01",
  to_date: "2026-12-02",
  starts_at: null,
  party_size: 2,
  offer: null,
  waitlist_token: null,
};

export const waiver: Waiver = {
  text: "You may get locked in.",
  version: 3,
  locale: "en",
  room_name: "r1",
  starts_at: slot.starts_at,
  timezone: "Europe/Madrid",
  organization: { name: "Casa", slug: "casa" },
  policy: "required",
  signed: 0,
  needed: 2,
  open: true,
  locales: ["en", "es"],
};

export const voucherOffer: VoucherOffer = {
  currency: "EUR",
  minimum_cents: 1000,
  maximum_cents: 20000,
  products: [{ id: "p1", name: "Escape for 4", description: null, amount_cents: 8000 }],
  validity_months: 12,
  refund_days: 14,
  timezone: "Europe/Madrid",
  last_delivery_on: "2027-11-23",
};

export const voucherOrder: VoucherOrder = {
  order_id: "01a9b1c4-7d2e-7c31-9a34-2f2d7f0a8f11",
  status: "open",
  amount_cents: 8000,
  currency: "EUR",
  product: "Escape for 4",
  recipient_name: "",
  message: "",
  deliver_on: null,
  code: null,
  valid_until: null,
};

export interface Setting {
  readonly flow: Flow;
  readonly calls: string[];
  readonly holds: HoldRequest[];
  /** What each function was asked, by its name. */
  readonly asked: (name: string) => unknown[];
  readonly events: string[];
  readonly redirects: string[];
  readonly store: Store;
  /** What the page was told with each event, by its name. */
  readonly told: (event: string) => Told[];
  /** The page's history; the last mark is the present entry. */
  readonly past: (Mark | null)[];
  clock: number;
}

/** A flow in a world that answers as told. */
export function setting(
  api: Partial<Api> = {},
  entry: Partial<Entry> = {},
  kept?: Store,
  world: Partial<World> = {},
  past: (Mark | null)[] = [null],
): Setting {
  const calls: string[] = [];
  const holds: HoldRequest[] = [];
  const asked: { name: string; given: unknown }[] = [];
  const store = kept ?? createStore(() => {
    throw new Error("no storage in tests");
  });
  const defaults: Api = {
    getCalendar: () => Promise.resolve(calendar),
    getAvailabilityDays: () => Promise.resolve([]),
    getAvailability: ({ from_date, to_date }) =>
      Promise.resolve(from_date <= slot.local_date && slot.local_date <= to_date ? [slot] : []),
    quote: ({ party_size }) => Promise.resolve({ ...quote, party_size }),
    hold: () => Promise.resolve({ ...booking, manage_token: "secret" }),
    getBooking: () => Promise.resolve(booking),
    confirmBooking: () =>
      Promise.resolve({ ...booking, status: "confirmed" as const, manage_token: "secret" }),
    cancelBooking: () => Promise.resolve({ ...booking, status: "cancelled" as const }),
    checkout: () =>
      Promise.resolve({
        checkout_url: "https://pay.test/1",
        expires_at: "",
        amount_cents: 8900,
        currency: "EUR",
      }),
    quoteReschedule: (request) => Promise.resolve({ ...changeQuote, ...request }),
    reschedule: () => Promise.resolve({}),
    emailMyBookings: () => Promise.resolve(null),
    joinWaitlist: () => Promise.resolve(waitlistEntry),
    getWaitlistEntry: () => Promise.resolve(waitlistEntry),
    leaveWaitlist: () => Promise.resolve({ status: "left" }),
    acceptOffer: () => Promise.resolve({ ...booking, status: "confirmed" as const }),
    getWaiver: () => Promise.resolve(waiver),
    signWaiver: () => Promise.resolve({ signed: 1, needed: 2 }),
    rpc: <T>(name: string) =>
      Promise.resolve(
        {
          get_voucher_offer: voucherOffer,
          order_voucher: {
            order_id: voucherOrder.order_id,
            order_token: "secret",
            amount_cents: 8000,
            currency: "EUR",
          },
          get_voucher_order: voucherOrder,
        }[name] as T,
      ),
    serve: <T>() => Promise.resolve({ checkout_url: "https://pay.test/1" } as T),
  };
  // The days are those of the times that the world offers, if it says nothing else of them.
  const getAvailability = api.getAvailability ?? defaults.getAvailability;
  defaults.getAvailabilityDays = async (request) => {
    const times = await getAvailability({ ...request, include_taken: true }) as Slot[];
    return daysOf(times, request.party_size).filter(({ local_date }) =>
      request.from_date <= local_date && local_date <= request.to_date
    );
  };
  const { serverTime, ...answers } = { ...defaults, ...api };
  const traced = Object.fromEntries(
    Object.entries(answers).map(([name, answer]) => [name, (...given: unknown[]) => {
      calls.push(name);
      asked.push({ name, given: given[0] });
      if (name === "hold") holds.push(given[0] as HoldRequest);
      return (answer as (...given: unknown[]) => unknown)(...given);
    }]),
  ) as unknown as Api;
  if (serverTime) traced.serverTime = serverTime;
  let key = 0;
  const redirects: string[] = [];
  const events: string[] = [];
  const told: [string, Told][] = [];
  const made: Setting = {
    flow: undefined as unknown as Flow,
    calls,
    holds,
    asked: (name) => asked.filter((call) => call.name === name).map((call) => call.given),
    events,
    redirects,
    store,
    told: (event) => told.filter(([name]) => name === event).map(([, detail]) => detail),
    past,
    clock: now,
  };
  const flow = new Flow({
    api: traced,
    store,
    slug: "casa",
    entry: { reference: null, token: null, payment: null, ...entry },
    locale: () => "es",
    now: () => made.clock,
    wallClock: () => made.clock,
    wait: (milliseconds) => {
      made.clock += milliseconds;
      return Promise.resolve();
    },
    newKey: () => `key-${++key}`,
    redirect: (url) => {
      redirects.push(url);
      return "here";
    },
    returnUrl: () => "https://venue.test/book",
    linkTo: (purpose, value, token) => `https://venue.test/book?${purpose}=${value}#token=${token}`,
    clearAddress: () => {},
    copy: () => Promise.resolve(),
    share: null,
    preset: {},
    past: {
      read: () => past.at(-1) ?? null,
      push: (mark) => void past.push(mark),
      replace: (mark) => void past.splice(-1, 1, mark),
      back: () => {
        past.pop();
        void flow.trail.follow();
      },
    },
    loadMore: () => Promise.resolve(createMore),
    emit: (event, detail) => {
      told.push([event, detail]);
      if (event !== "step") events.push(`${event} ${detail.reference}`);
    },
    ...world,
  });
  return Object.assign(made, { flow });
}

export const refuse = (code: string, details = {}) => () =>
  Promise.reject(new ApiError(code, 409, details));
export const read = (text: Text | undefined) =>
  text?.(stringsFor("en"), createFormat("en", ["en-GB"]));

export async function toDetails(made: Setting): Promise<void> {
  await made.flow.start();
  await made.flow.choosing.chooseSlot(slot);
  made.flow.details.type("full_name", " Maria Ferrer ");
  made.flow.details.type("email", "maria@example.test");
}

export const extra = {
  id: "x1",
  name: { es: "Foto", en: "Photo" },
  description: {},
  price_cents: 1200,
  per: "booking" as const,
  maximum_quantity: 2,
};
export const question = (
  kind: CustomField["kind"],
  more: Partial<CustomField> = {},
): CustomField => ({
  key: kind,
  label: { en: kind },
  help: {},
  kind,
  required: false,
  pattern: null,
  options: [],
  placeholder: {},
  minimum_length: null,
  maximum_length: null,
  room_id: null,
  ...more,
});
export const size = question("select", {
  required: true,
  options: [{ value: "m", label: { en: "Medium" } }],
});
export const rich: BookingCalendar = {
  ...calendar,
  rooms: calendar.rooms.map((room, index) => ({
    ...room,
    extras: index === 0 ? [extra] : [],
    mode: index === 0 ? "shared" : "private",
    capacity: 8,
    exclusive_price_cents: index === 0 ? 15000 : null,
  })),
  flow: "date_first",
  terms: { es: "Llegad a tiempo.", en: "Be on time." },
  fields: [size, question("number")],
  has_coupons: true,
  has_vouchers: true,
  waitlist: true,
};
export const richly = (api: Partial<Api> = {}, entry: Partial<Entry> = {}) =>
  setting({ getCalendar: () => Promise.resolve(rich), ...api }, entry);

export async function toRichDetails(made: Setting): Promise<void> {
  await toDetails(made);
  made.flow.details.answer("select", "m");
  tick(made.flow);
}
export const view = (flow: Flow, language: "es" | "en" | "ca" = "en") =>
  render({
    flow,
    state: flow.state,
    language,
    strings: firstStringsFor(language),
    format: createFormat(language, ["en-GB"]),
    visitorZone: "Europe/Madrid",
    text: (given) => textIn(given, language),
    imageUrl: ({ path }) => `https://files.test/${path}`,
    reveal: () => {},
    clear: () => {},
  });

export function* nodes(tree: readonly (VNode | string)[]): Generator<VNode | string> {
  for (const node of tree) {
    yield node;
    if (typeof node !== "string") yield* nodes(node.children);
  }
}
export const texts = (flow: Flow) =>
  [...nodes(view(flow))].filter((node) => typeof node === "string");
export const elements = (flow: Flow, language?: "es" | "en" | "ca") =>
  [...nodes(view(flow, language))].filter((node) => typeof node !== "string");

/** What is free, and these days on which all is taken. */
export const soldOut = (...days: string[]): Partial<Api> => ({
  getAvailability: ({ from_date, to_date, include_taken }) =>
    Promise.resolve(
      [slot, ...days.map((local_date) => ({ ...slot, local_date, seats_available: 1 }))]
        .filter(({ local_date, seats_available }) =>
          from_date <= local_date && local_date <= to_date &&
          (seats_available > 1 || include_taken === true)
        ),
    ),
});

export const returned = { reference: "ABCD-2345", token: "secret" };
export const confirmed: Booking = { ...booking, status: "confirmed", paid_cents: 8900 };

export type Language = "es" | "en" | "ca";

const box = (flow: Flow, kind: "terms" | "marketing", language: Language) =>
  elements(flow, language).find(({ props }) => props.name === kind)!;
/** Set the tick beside the terms, or take it away, as a visitor does in the language of the world. */
export function tick(
  flow: Flow,
  kind: "terms" | "marketing" = "terms",
  checked = true,
  language: Language = "es",
): void {
  const change = box(flow, kind, language).props.onchange as (event: unknown) => void;
  change({ target: { checked } });
}
/** Whether the tick is shown as set. */
export const isTicked = (
  flow: Flow,
  kind: "terms" | "marketing" = "terms",
  language: Language = "es",
) => box(flow, kind, language).props.checked as boolean;

/** All that both scripts ask for, over the network as it is. */
export function wholeApi(options: ApiOptions): Api {
  const api = createApi(options);
  return { ...restOfApi(api), ...api };
}
