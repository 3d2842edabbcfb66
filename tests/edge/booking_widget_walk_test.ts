/** Random walks through the widget: pages opened anew, back, forward, and whatever can be pressed. */
import assert from "node:assert/strict";
import type { Booking, BookingCalendar, Slot } from "../../edge/_shared/booking.ts";
import { type Api, ApiError } from "../../edge/booking-widget/src/api.ts";
import type { VNode } from "../../edge/booking-widget/src/dom.ts";
import type { Flow } from "../../edge/booking-widget/src/flow.ts";
import { createFormat, type Format } from "../../edge/booking-widget/src/format.ts";
import type { Mark } from "../../edge/booking-widget/src/trail.ts";
import { render } from "../../edge/booking-widget/src/views/index.ts";
import type { Entry } from "../../edge/booking-widget/src/world.ts";
import {
  booking,
  calendar,
  nodes,
  now,
  type Setting,
  setting,
  slot,
  stringsFor,
  waitlistEntry,
  waiver,
} from "./booking_widget_world.ts";

/** The same walk for the same seed (mulberry32). */
function chance(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** How things are written, remembered: it is asked for thousands of times. */
const format = new Proxy(createFormat("en", ["en-GB"]), {
  get(plain, name: keyof Format) {
    const write = plain[name];
    if (typeof write !== "function") return write;
    return (...given: never[]) => {
      const key = `${name} ${given.join()}`;
      if (!written.has(key)) written.set(key, (write as (...given: never[]) => unknown)(...given));
      return written.get(key);
    };
  },
});
const written = new Map<string, unknown>();

/** What is shown now. */
function shown(flow: Flow): VNode[] {
  const tree = render({
    flow,
    state: flow.state,
    language: "en",
    strings: stringsFor("en"),
    format,
    visitorZone: null,
    text: () => "",
    imageUrl: () => "",
    reveal: () => {},
    clear: () => {},
  });
  return [...nodes(tree)].filter((node) => typeof node !== "string");
}

const settled = async () => {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve));
};

const sells: BookingCalendar = { ...calendar, waitlist: true, shows_taken_times: true };
const soldOutSlot: Slot = {
  ...slot,
  starts_at: "2026-12-04T19:00:00Z",
  ends_at: "2026-12-04T20:00:00Z",
  seats_available: 0,
};
/** Steps that come and go by themselves, or that say that nothing can be shown. */
const passing = ["loading", "failed", "confirming", "slow", "elsewhere"];

/** A tab with its history, and a database that remembers. */
class Tab {
  readonly entries: (Mark | null)[] = [null];
  readonly bookings = new Map<string, Booking>();
  readonly steps: string[] = [];
  at = 0;
  made!: Setting;
  left = false;
  #store: Setting["store"] | undefined;
  #clock = now;
  #pages = 0;

  constructor(readonly random: () => number, public address: Partial<Entry>) {}

  #known(reference: string): Booking {
    const found = this.bookings.get(reference);
    if (!found) throw new ApiError("booking_not_found", 404);
    return found;
  }

  #keep(reference: string, change: Partial<Booking>): Booking {
    const kept = { ...this.#known(reference), ...change };
    this.bookings.set(reference, kept);
    return kept;
  }

  hold(status: Booking["status"] = "held"): Booking {
    const reference = `ABCD-${2000 + this.bookings.size}`;
    const held: Booking = {
      ...booking,
      reference,
      status,
      hold_expires_at: new Date(this.#clock + 15 * 60_000).toISOString(),
      paid_cents: status === "held" ? 0 : 8900,
      reschedulable: true,
      waiver: { policy: "required", signed: 0, needed: 2, missing: 2, token: "w" },
    };
    this.bookings.set(reference, held);
    return held;
  }

  /** The money for whatever is held arrives. */
  pay(): void {
    for (const [reference, { status, due_now_cents }] of this.bookings) {
      if (status === "held") {
        this.#keep(reference, { status: "confirmed", paid_cents: due_now_cents });
      }
    }
  }

  #api(): Partial<Api> {
    const answer = <T>(make: () => T) => new Promise<T>((resolve) => resolve(make()));
    return {
      getCalendar: () => answer(() => sells),
      getAvailability: ({ from_date, to_date }) =>
        answer(() =>
          [slot, soldOutSlot].filter(({ local_date }) =>
            from_date <= local_date && local_date <= to_date
          )
        ),
      hold: () => answer(() => ({ ...this.hold(), manage_token: "secret" })),
      getBooking: ({ reference }) => answer(() => this.#known(reference)),
      confirmBooking: ({ reference }) =>
        answer(() => ({
          ...this.#keep(reference, { status: "confirmed" as const }),
          manage_token: "secret",
        })),
      cancelBooking: ({ reference }) =>
        answer(() => this.#keep(reference, { status: "cancelled", cancellable: false })),
      joinWaitlist: () => answer(() => ({ ...waitlistEntry, waitlist_token: "l" })),
    };
  }

  /** The page is opened, or opened anew. */
  async open(): Promise<void> {
    this.made?.flow.stop();
    this.left = false;
    const page = ++this.#pages;
    const ways = ["here", "tab", "barred"] as const;
    this.made = setting(this.#api(), this.address, this.#store, {
      preset: { full_name: "Maria Ferrer", email: "maria@example.test" },
      now: () => this.#clock,
      wait: (milliseconds) => {
        this.#clock += milliseconds;
        return Promise.resolve();
      },
      redirect: () => {
        const way = ways[Math.floor(this.random() * ways.length)]!;
        if (way === "here") this.left = true;
        return way;
      },
      clearAddress: () => this.address = {},
      past: {
        read: () => this.entries[this.at] ?? null,
        push: (mark) => {
          if (page === this.#pages) this.entries.splice(++this.at, Infinity, mark);
        },
        replace: (mark) => {
          if (page === this.#pages) this.entries[this.at] = mark;
        },
        // A browser goes back after the script that asks for it.
        back: () => void setTimeout(() => void this.go(-1)),
      },
    });
    this.#store = this.made.store;
    const { address } = this;
    if (address.token && address.reference) {
      // What the address says of a secret is taken out of it at once.
      this.address = { reference: address.reference };
    }
    await this.made.flow.start();
  }

  /** The browser's own buttons. */
  async go(by: -1 | 1): Promise<void> {
    if (this.at + by < 0 || this.at + by >= this.entries.length) return;
    this.at += by;
    await this.made.flow.trail.follow();
  }

  /** A while passes, and the visitor looks at the page again. */
  async wait(): Promise<void> {
    const { flow } = this.made;
    this.#clock += 5_000 * 4 ** Math.floor(this.random() * 4);
    flow.paying.tick();
    await settled();
    if (this.random() < 0.5) await flow.wake();
  }

  /** One of the buttons that are shown. */
  press(): string {
    const { flow } = this.made;
    const { step } = flow.state;
    if (step === "waiver" && this.random() < 0.5) {
      flow.more!.waivers.change({ name: "Maria", agreed: waiver.text, drawing: "data:," });
      void flow.more!.waivers.sign((name) => name);
      return "sign";
    }
    const labelled = shown(flow).filter(({ tag, props }) =>
      tag === "button" && typeof props.onclick === "function" && props["aria-disabled"] !== "true"
    ).map((node) => ({
      node,
      label: [...nodes([node])].filter((inner) => typeof inner === "string").join(""),
    })).filter(({ node: { props }, label }) =>
      // A file to be saved needs a document; days are many.
      !/calendar$/.test(label) && !/day|round/.test(String(props.class))
    );
    const chosen = labelled[Math.floor(this.random() * labelled.length)];
    if (!chosen) return "nothing";
    (chosen.node.props.onclick as (event: Partial<Event>) => void)({ preventDefault: () => {} });
    return chosen.label;
  }
}

/** How a page may be opened. */
const openings: ((tab: Tab) => Partial<Entry>)[] = [
  () => ({}),
  () => ({}),
  (tab) => ({ reference: tab.hold().reference, token: "secret" }),
  (tab) => ({ reference: tab.hold("confirmed").reference, token: "secret" }),
  (tab) => ({ reference: tab.hold("confirmed").reference }),
  (tab) => ({ reference: tab.hold().reference, token: "secret", payment: "success" }),
  () => ({ waiver: "w" }),
  () => ({ leave: "l" }),
];

const WALKS = 84;
const LENGTH = 16;

Deno.test("whatever is pressed and wherever the browser leads, the step that is shown is the history's", async () => {
  const seen = new Set<string>();
  const thrown: unknown[] = [];
  const original = console.error;
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    thrown.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  console.error = (...said: unknown[]) => {
    if (said.some((part) => part instanceof Error)) thrown.push(...said);
  };
  try {
    for (let seed = 1; seed <= WALKS; seed++) {
      const random = chance(seed);
      const tab = new Tab(random, {});
      tab.address = openings[seed % openings.length]!(tab);
      const walked: string[] = [];
      const look = async (done: string) => {
        await settled();
        const { flow } = tab.made;
        const { step, busy } = flow.state;
        const mark = tab.entries[tab.at];
        walked.push(`${done} → ${step}`);
        const told = `seed ${seed}: ${walked.join(" | ")}`;
        assert.deepEqual(thrown, [], `${told}: ${thrown.map((one) => (one as Error)?.stack)}`);
        assert.ok(shown(flow).length > 1, told);
        seen.add(step);
        if (passing.includes(step) || tab.left) return;
        assert.equal(busy, null, told);
        assert.equal(mark?.step ?? flow.base, step, `${told}: ${JSON.stringify(mark)}`);
        // What is asked for a booking is asked with the calendar at hand.
        if (step === "details") assert.ok(flow.state.month && flow.state.calendar, told);
      };
      await tab.open();
      await look("open");
      for (let turn = 0; turn < LENGTH; turn++) {
        const what = random();
        // Another page took this one's place: the browser's back leads to it anew.
        if (tab.left || what < 0.15) {
          if (random() < 0.2) tab.pay();
          await tab.open();
          await look("reload");
        } else if (what < 0.35) {
          await tab.go(-1);
          await look("back");
        } else if (what < 0.5) {
          await tab.go(1);
          await look("forward");
        } else if (what < 0.6) {
          await tab.wait();
          await look("wait");
        } else await look(`"${tab.press()}"`);
      }
      tab.made.flow.stop();
    }
  } finally {
    console.error = original;
    globalThis.removeEventListener("unhandledrejection", onRejection);
  }
  const all =
    "choose details pay booking move moveQuote waiver signed waitlist waiting leave left " +
    "lost resent slow elsewhere";
  assert.deepEqual(all.split(" ").filter((step) => !seen.has(step)), []);
});
