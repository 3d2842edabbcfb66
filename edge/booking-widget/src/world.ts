/** What the flow needs of the page around it, so that every path can be tested without one. */
import type { Api, BookingKey } from "./api.ts";
import type { State, Text } from "./state.ts";
import type { Store } from "./store.ts";
import type { Language } from "./strings.ts";

/** What the address bar said when the page was opened. */
export interface Entry {
  readonly reference: string | null;
  readonly token: string | null;
  readonly payment: string | null;
  /** The token of a waiver that is to be signed. */
  readonly waiver?: string | null;
  /** The token of a place on the waitlist that is to be given up. */
  readonly leave?: string | null;
}

export type Event = "held" | "confirmed" | "rescheduled" | "cancelled";

export interface World {
  readonly api: Api;
  readonly store: Store;
  readonly slug: string;
  readonly entry: Entry;
  /** The language to write to the customer in. */
  locale(): Language;
  now(): number;
  wait(milliseconds: number): Promise<void>;
  newKey(): string;
  /** Leave the page for the payment provider's. */
  redirect(url: string): void;
  /** This page's address without anything of a booking: where the payment comes back to. */
  returnUrl(): string;
  /** Take the booking out of the address bar. */
  clearAddress(): void;
  emit(event: Event, reference: string): void;
}

/** What a part of the flow may do to the whole. */
export interface Inside {
  readonly world: World;
  state(): State;
  set(change: Partial<State>): void;
  say(text: Text): State["announcement"];
  focusOn(target: string): State["focus"];
  problem(error: unknown): NonNullable<State["notice"]>;
  key(reference: string): BookingKey;
}

/**
 * The idempotency key of an attempt: pressing again after a lost answer is the same attempt, another
 * time or another name is a new one.
 */
export class Attempt {
  #last: { readonly signature: string; readonly key: string } | null = null;

  constructor(readonly newKey: () => string) {}

  key(request: object): string {
    const signature = JSON.stringify(request);
    if (this.#last?.signature !== signature) this.#last = { signature, key: this.newKey() };
    return this.#last.key;
  }

  done(): void {
    this.#last = null;
  }
}
