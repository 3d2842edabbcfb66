/**
 * What the browser remembers: the manage tokens of its own bookings and what was typed, as long as
 * the tab is open, and a hold that still has to be paid for a day. Nothing of it leaves the browser.
 */
import type { Terms } from "../../_shared/booking.ts";
import type { Answers, CustomerForm } from "./customer.ts";
import type { Minor, Wishes } from "./state.ts";

export interface Remembered {
  readonly token: string;
  readonly calendar: string;
  /** Milliseconds to add to the visitor's clock to get the server's. */
  readonly skew: number;
  /** What had been paid when the visitor left for the payment page. */
  readonly paid?: number;
  /** What moving the booking was last said to cost. */
  readonly move?: Omit<Shown, "terms">;
}

/** A price and terms that were shown, and of what: the room, the time and the party. */
export interface Shown {
  readonly of: string;
  readonly total: number;
  readonly terms: Terms;
}

/** What was typed and chosen and not yet sent. */
export interface Draft {
  readonly form: CustomerForm;
  readonly answers: Answers;
  readonly note: string;
  /** The words that were agreed to; they may be others after a reload. */
  readonly terms: string;
  readonly marketing: string;
  readonly wishes?: Wishes;
  readonly shown?: Shown | null;
}

/** What was typed into a waiver's form. */
export interface Signer {
  readonly name: string;
  readonly minors: readonly Minor[];
  readonly outside: boolean;
  /** The text that was agreed to, word for word. */
  readonly agreed: string;
}

export interface Store {
  save(reference: string, remembered: Remembered): void;
  load(reference: string): Remembered | null;
  /** The booking that still waits for its payment, by calendar; other tabs find it, too. */
  setOpen(calendar: string, reference: string | null): void;
  open(calendar: string): string | null;
  saveDraft(calendar: string, draft: Draft | null): void;
  draft(calendar: string): Draft | null;
  /** By the token of the waiver. */
  saveSigner(token: string, signer: Signer | null): void;
  signer(token: string): Signer | null;
  /** The secret of a link, so that it need not stand in the address. */
  keepToken(link: string, token: string): void;
  token(link: string): string | null;
  /** What else is kept as long as the tab is open, by name. */
  readonly tab: Tab;
}

export interface Tab {
  read<T>(name: string): T | null;
  write(name: string, value: unknown): void;
}

type Area = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** After that no hold is alive. */
const DAY_MS = 86_400_000;

/**
 * A store in `sessionStorage`, and in `localStorage` for what outlives the tab; in memory where the
 * page may not use them (a sandboxed frame).
 */
export function createStore(session: () => Area, lasting: () => Area = session): Store {
  const tab = place(session);
  const browser = place(lasting);
  return {
    save: (reference, remembered) => tab.write(`booking:${reference}`, remembered),
    load: (reference) => tab.read<Remembered>(`booking:${reference}`),
    setOpen: (calendar, reference) => {
      tab.write(`open:${calendar}`, reference);
      const kept = reference && tab.read<Remembered>(`booking:${reference}`);
      browser.write(`left:${calendar}`, kept ? { ...kept, reference, at: Date.now() } : null);
    },
    open: (calendar) => {
      const own = tab.read<string>(`open:${calendar}`);
      const left = browser.read<Remembered & { reference: string; at: number }>(`left:${calendar}`);
      if (own || !left) return own;
      if (Date.now() - left.at > DAY_MS) {
        browser.write(`left:${calendar}`, null);
        return null;
      }
      const { reference, at: _, ...kept } = left;
      tab.write(`booking:${reference}`, kept);
      return reference;
    },
    saveDraft: (calendar, draft) => tab.write(`draft:${calendar}`, draft),
    draft: (calendar) => tab.read<Draft>(`draft:${calendar}`),
    saveSigner: (token, signer) => tab.write(`signer:${token}`, signer),
    signer: (token) => tab.read<Signer>(`signer:${token}`),
    keepToken: (link, token) => tab.write(`token:${link}`, token),
    token: (link) => tab.read<string>(`token:${link}`),
    tab,
  };
}

/** Values by name, in a storage where there is one. */
function place(area: () => Area): Tab {
  const memory = new Map<string, string>();
  const key = (name: string) => `escape-booking:${name}`;
  return {
    read<T>(name: string): T | null {
      try {
        return JSON.parse(area().getItem(key(name)) ?? memory.get(name) ?? "null") as T | null;
      } catch {
        return JSON.parse(memory.get(name) ?? "null") as T | null;
      }
    },
    write(name: string, value: unknown): void {
      const text = value === null ? null : JSON.stringify(value);
      if (text === null) memory.delete(name);
      else memory.set(name, text);
      try {
        if (text === null) area().removeItem(key(name));
        else area().setItem(key(name), text);
      } catch {
        // Memory has it; it lasts as long as the page.
      }
    },
  };
}
