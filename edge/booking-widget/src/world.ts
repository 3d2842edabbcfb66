/** What the flow needs of the page around it, so that every path can be tested without one. */
import type { Api } from "./api.ts";
import type { Flow } from "./flow.ts";
import type { More } from "./more.ts";
import type { Step } from "./state.ts";
import type { Store } from "./store.ts";
import type { Language } from "./language.ts";
import type { Past } from "./trail.ts";

/** What the address bar said when the page was opened. */
export interface Entry {
  readonly reference: string | null;
  readonly token: string | null;
  readonly payment: string | null;
  /** The token that confirms the booking. */
  readonly confirm?: string | null;
  /** The token of a waiver that is to be signed. */
  readonly waiver?: string | null;
  /** The token of a place on the waitlist that is to be given up. */
  readonly leave?: string | null;
}

/** What the page asks for on behalf of its visitor. */
export interface Preset {
  /** The gift vouchers that the venue sells, instead of its times. */
  readonly vouchers?: boolean;
  /** A room's id or its slug. */
  readonly room?: string;
  /** `YYYY-MM-DD`. */
  readonly date?: string;
  readonly party?: number;
  readonly coupon?: string;
  readonly full_name?: string;
  readonly email?: string;
}

export type Event = "step" | "held" | "confirmed" | "rescheduled" | "cancelled" | "bought";

/** What a page learns with an event: enough to count and to measure, nothing of the person. */
export interface Told {
  readonly step: Step;
  readonly reference?: string;
  /** In units of the currency, as analytics want it: 89.5. */
  readonly value?: number;
  readonly currency?: string;
}

/** How the page is left: its own window, the one around its frame, another tab, or not at all. */
export type Way = "here" | "top" | "tab" | "barred";

export interface World {
  readonly api: Api;
  readonly store: Store;
  readonly slug: string;
  readonly entry: Entry;
  readonly preset: Preset;
  readonly past: Past;
  /** The language to write to the customer in. */
  locale(): Language;
  /** Milliseconds that count evenly, whatever is done to the visitor's clock; from where it stood. */
  now(): number;
  /** What the visitor's clock says. */
  wallClock(): number;
  wait(milliseconds: number): Promise<void>;
  newKey(): string;
  /** Leave the page for the payment provider's. */
  redirect(url: string): Way;
  /** This page's address without anything of a booking: where the payment comes back to. */
  returnUrl(): string;
  /** A link to this page that carries a secret. */
  linkTo(purpose: "waiver" | "waitlist", value: string, token: string): string;
  /** Put a text where it can be pasted; raises where that is not allowed. */
  copy(text: string): Promise<void>;
  /** The device's own way to pass a link on; null where it has none. */
  readonly share: ((url: string) => Promise<void>) | null;
  /** Take the booking out of the address bar. */
  clearAddress(): void;
  emit(event: Event, told: Told): void;
  /** The second script. */
  loadMore(): Promise<(flow: Flow) => More>;
}

/**
 * The idempotency key of an attempt: pressing again after a lost answer is the same attempt, another
 * time or another name is a new one.
 */
export class Attempt {
  #last: { readonly signature: string; readonly key: string } | null = null;

  constructor(readonly newKey: () => string) {}

  /** Whether this very request was sent before, and its answer got lost. */
  began(request: object): boolean {
    return this.#last?.signature === JSON.stringify(request);
  }

  key(request: object): string {
    const signature = JSON.stringify(request);
    if (this.#last?.signature !== signature) this.#last = { signature, key: this.newKey() };
    return this.#last.key;
  }

  done(): void {
    this.#last = null;
  }
}
