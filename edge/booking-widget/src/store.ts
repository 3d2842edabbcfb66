/** What the tab remembers: the manage tokens of its own bookings. Nothing leaves the browser. */

export interface Remembered {
  readonly token: string;
  readonly calendar: string;
  /** Milliseconds to add to the visitor's clock to get the server's. */
  readonly skew: number;
  /** What had been paid when the visitor left for the payment page. */
  readonly paid?: number;
}

export interface Store {
  save(reference: string, remembered: Remembered): void;
  load(reference: string): Remembered | null;
  /** The booking that still waits for its payment, by calendar. */
  setOpen(calendar: string, reference: string | null): void;
  open(calendar: string): string | null;
}

type Area = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** A store in `sessionStorage`, or in memory where the page may not use it (a sandboxed frame). */
export function createStore(area: () => Area): Store {
  const memory = new Map<string, string>();
  const key = (name: string) => `escape-booking:${name}`;
  const read = (name: string): string | null => {
    try {
      return area().getItem(key(name)) ?? memory.get(name) ?? null;
    } catch {
      return memory.get(name) ?? null;
    }
  };
  const write = (name: string, value: string | null) => {
    if (value === null) memory.delete(name);
    else memory.set(name, value);
    try {
      if (value === null) area().removeItem(key(name));
      else area().setItem(key(name), value);
    } catch {
      // Memory has it; it lasts as long as the page.
    }
  };
  return {
    save: (reference, remembered) => write(`booking:${reference}`, JSON.stringify(remembered)),
    load: (reference) => {
      const text = read(`booking:${reference}`);
      return text === null ? null : JSON.parse(text) as Remembered;
    },
    setOpen: (calendar, reference) => write(`open:${calendar}`, reference),
    open: (calendar) => read(`open:${calendar}`),
  };
}
