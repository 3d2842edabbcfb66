/** The page around the widget: its address, its history, its frame, what its attributes ask for. */
import type { Store } from "./store.ts";
import type { Mark, Past } from "./trail.ts";
import type { Entry, Preset, Way } from "./world.ts";

export const noEntry: Entry = { reference: null, token: null, payment: null };

/** The service takes no longer address, and adds the reference to it. */
const LONGEST_ADDRESS = 2_000;
const OURS = ["reference", "token", "payment", "confirm", "waiver", "waitlist"];

/** The page's own address; a frame without one (`srcdoc`) has that of the page around it. */
function ownAddress(): string {
  return /^https?:/.test(location.href) ? location.href : document.baseURI;
}

/**
 * What the address says of a booking, in the query or the fragment. The token is taken out of it: it
 * must not stay where the history, a screenshot or a Referer header could carry it. What it is about
 * may stay, so that a reload in this tab shows the same again.
 */
export function takeEntry(slug: string, store: Store): Entry | null {
  const address = new URL(ownAddress());
  const fragment = new URLSearchParams(address.hash.slice(1));
  const get = (name: string) => address.searchParams.get(name) ?? fragment.get(name);
  const given = get("token");
  const keep = (name: string, value: string) => {
    const kept = new URL(cleanAddress(ownAddress()));
    kept.searchParams.set(name, value);
    rewrite(kept.href);
  };
  for (const [purpose, entry] of [["waiver", "waiver"], ["waitlist", "leave"]] as const) {
    const value = get(purpose);
    if (value === null) continue;
    const token = given ?? store.token(`${purpose}:${value}`);
    if (token === null) continue;
    store.keepToken(`${purpose}:${value}`, token);
    keep(purpose, value);
    return { ...noEntry, [entry]: token };
  }
  const reference = get("reference");
  if (reference === null) return null;
  const owner = store.load(reference)?.calendar;
  if (owner !== undefined && owner !== slug && given === null) return null;
  const link = `confirm:${reference}`;
  const payment = get("payment");
  if (given !== null && get("confirm") !== null) store.keepToken(link, given);
  const confirms = given === null ? owner === undefined : get("confirm") !== null;
  const confirm = confirms ? store.token(link) : null;
  keep("reference", reference);
  return confirm === null
    ? { reference, token: given, payment }
    : { ...noEntry, reference, confirm };
}

/** The address without anything of a booking. */
function cleanAddress(href: string): string {
  const address = new URL(href);
  const fragment = new URLSearchParams(address.hash.slice(1));
  for (const name of OURS) {
    address.searchParams.delete(name);
    // A fragment that is the page's own is left exactly as it is.
    if (fragment.has(name)) {
      fragment.delete(name);
      address.hash = fragment.toString();
    }
  }
  return address.href;
}

function rewrite(href: string): void {
  try {
    history.replaceState(history.state, "", href);
  } catch {
    // A frame without an address of its own.
  }
}

export function clearAddress(): void {
  rewrite(cleanAddress(location.href));
}

/** Where a payment comes back to: as much of the page's address as may be sent. */
export function returnAddress(href = ownAddress()): string {
  const address = new URL(cleanAddress(href));
  if (address.href.length > LONGEST_ADDRESS) address.hash = "";
  // What came last was most likely added last, by whoever counts clicks.
  for (const name of [...address.searchParams.keys()].reverse()) {
    if (address.href.length <= LONGEST_ADDRESS) break;
    address.searchParams.delete(name);
  }
  return address.href.length > LONGEST_ADDRESS ? `${address.origin}/` : address.href;
}

/** A link to this page for whoever has its secret, which stands where no server reads it. */
export function linkTo(purpose: "waiver" | "waitlist", value: string, token: string): string {
  const address = new URL(returnAddress());
  address.searchParams.set(purpose, value);
  address.hash = `token=${token}`;
  return address.href;
}

/** The history of the window: our mark stands beside whatever the page keeps in an entry. */
export function windowPast(): Past {
  const write = (how: "pushState" | "replaceState", mark: Mark) => {
    try {
      history[how]({ ...history.state, escapeBooking: mark }, "");
    } catch {
      // Not every frame has a history, and browsers bound how often it is written.
    }
  };
  return {
    read: () => (history.state as { escapeBooking?: Mark } | null)?.escapeBooking ?? null,
    push: (mark) => write("pushState", mark),
    replace: (mark) => write("replaceState", mark),
    back: () => history.back(),
  };
}

/** Open the provider's page, which shows nothing inside of a frame. */
export function leaveFor(url: string): Way {
  const { top } = globalThis as unknown as Window;
  if (top === null || top === globalThis as unknown as Window) {
    location.assign(url);
    return "here";
  }
  try {
    top.location.href = url;
    return "top";
  } catch {
    // A sandbox without allow-top-navigation.
  }
  const tab = open(url, "_blank");
  if (!tab) return "barred";
  tab.opener = null;
  return "tab";
}

/** What the attributes of the element ask for; what makes no sense is passed over. */
export function readPreset(get: (name: string) => string, href = ownAddress()): Preset {
  const date = get("date");
  const party = Number(get("party"));
  return {
    ...(get("view") === "vouchers" || /[?&]vouchers\b/.test(href) ? { vouchers: true } : {}),
    ...(get("room") ? { room: get("room") } : {}),
    ...(/^\d{4}-\d\d-\d\d$/.test(date) && !Number.isNaN(Date.parse(date)) ? { date } : {}),
    ...(Number.isInteger(party) && party > 0 ? { party } : {}),
    ...(get("coupon") ? { coupon: get("coupon").slice(0, 64) } : {}),
    ...(get("name") ? { full_name: get("name").slice(0, 200) } : {}),
    ...(get("email") ? { email: get("email").slice(0, 200) } : {}),
  };
}
