/** `<escape-booking>`: the custom element that joins the flow to the page it stands on. */
import type { Booking, BookingCalendar, Room } from "../../_shared/booking.ts";
import { renderCalendar } from "../../_shared/ical.ts";
import { createApi } from "./api.ts";
import { patch } from "./dom.ts";
import { textIn } from "./customer.ts";
import { Flow } from "./flow.ts";
import { createFormat, type Format } from "./format.ts";
import { createStore } from "./store.ts";
import { type Language, pickLanguage, stringsFor } from "./strings.ts";
import { styles } from "./styles.ts";
import { render } from "./views.ts";
import type { Entry } from "./world.ts";

/** Where this script was loaded from: the address of the API unless the page says otherwise. */
const scriptOrigin = (() => {
  const script = document.currentScript;
  return script instanceof HTMLScriptElement && script.src ? new URL(script.src).origin : "";
})();

const ROOM_IMAGES = "room-images";
const store = createStore(() => sessionStorage);
const noEntry: Entry = { reference: null, token: null, payment: null };
/** The address bar belongs to one widget: the first that asks, or the one that made the booking. */
let entryTaken = false;

/**
 * A venue's booking page as one element:
 *
 * ```html
 * <script src="https://<project>/functions/v1/booking-widget" async></script>
 * <escape-booking calendar="slug" publishable-key="…" service-url="https://…"></escape-booking>
 * ```
 *
 * Attributes: `calendar` (the public slug), `publishable-key`, `service-url` (of the payment
 * service), `api-url` (where the script came from, if left out), `lang` (`es`, `en` or `ca`; the
 * page's or the visitor's, if left out), `theme` (`light`, `dark`, or `auto` for the page's
 * `color-scheme`; the calendar's, if left out).
 *
 * Custom properties: `--escape-accent`, `--escape-on-accent`, `--escape-surface`,
 * `--escape-raised`, `--escape-ink`, `--escape-muted`, `--escape-line`, `--escape-edge`,
 * `--escape-warn`, `--escape-danger`, `--escape-radius`, `--escape-font`.
 *
 * Events, with `detail.reference`: `escape-booking:held`, `escape-booking:confirmed`,
 * `escape-booking:rescheduled`, `escape-booking:cancelled`.
 */
export class EscapeBooking extends HTMLElement {
  static readonly observedAttributes = [
    "calendar",
    "api-url",
    "service-url",
    "publishable-key",
    "lang",
  ];

  #root = this.attachShadow({ mode: "open" });
  #body = document.createElement("div");
  #flow: Flow | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #scheduled = false;
  #beginning = false;
  #entry: { readonly slug: string; readonly entry: Entry } | null = null;
  #focused = 0;
  #format: { readonly language: Language; readonly format: Format } | null = null;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    this.#root.adoptedStyleSheets = [sheet];
    this.#body.className = "widget";
    this.#root.append(this.#body);
  }

  connectedCallback(): void {
    document.addEventListener("visibilitychange", this.#onVisible);
    globalThis.addEventListener("pageshow", this.#onPageShow);
    this.#timer = setInterval(() => this.#flow?.tick(), 500);
    this.#beginSoon();
  }

  disconnectedCallback(): void {
    document.removeEventListener("visibilitychange", this.#onVisible);
    globalThis.removeEventListener("pageshow", this.#onPageShow);
    clearInterval(this.#timer);
    this.#flow?.stop();
    this.#flow = null;
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now || !this.isConnected) return;
    if (name === "lang") this.#schedule();
    else this.#beginSoon();
  }

  /** Frameworks set attributes one by one: begin once they have all been set. */
  #beginSoon(): void {
    if (this.#beginning) return;
    this.#beginning = true;
    queueMicrotask(() => {
      this.#beginning = false;
      if (this.isConnected) this.#begin();
    });
  }

  /** A setting, without slashes at its end. */
  #setting(name: string): string {
    return (this.getAttribute(name) ?? "").trim().replace(/\/+$/, "");
  }

  get #apiUrl(): string {
    return this.#setting("api-url") || scriptOrigin;
  }

  #begin(): void {
    this.#flow?.stop();
    this.#flow = null;
    const slug = this.#setting("calendar");
    const publishableKey = this.#setting("publishable-key");
    if (slug === "" || publishableKey === "") return;
    if (this.#entry?.slug !== slug) this.#entry = { slug, entry: takeEntry(slug) };
    const flow = new Flow({
      api: createApi({
        apiUrl: this.#apiUrl,
        serviceUrl: this.#setting("service-url"),
        publishableKey,
      }),
      store,
      slug,
      entry: this.#entry.entry,
      locale: () => this.#language,
      now: () => Date.now(),
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      newKey,
      redirect: (url) => location.assign(url),
      returnUrl: () => cleanAddress(location.href),
      clearAddress: () => {
        this.#entry = { slug, entry: noEntry };
        history.replaceState(history.state, "", cleanAddress(location.href));
      },
      emit: (event, reference) =>
        this.dispatchEvent(
          new CustomEvent(`escape-booking:${event}`, {
            detail: { reference },
            bubbles: true,
            composed: true,
          }),
        ),
    });
    this.#flow = flow;
    flow.onChange(() => this.#schedule());
    this.#schedule();
    void flow.start();
  }

  get #language(): Language {
    const own = this.getAttribute("lang");
    const calendar = this.#flow?.state.calendar;
    const offered = (tag: string) =>
      !calendar?.locales?.length || calendar.locales.includes(pickLanguage([tag]));
    return pickLanguage([
      own,
      ...[document.documentElement.lang, ...navigator.languages].filter(offered),
      calendar?.locale,
    ]);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.isConnected && this.#flow) this.#render(this.#flow);
    });
  }

  #render(flow: Flow): void {
    const language = this.#language;
    if (this.#format?.language !== language) {
      this.#format = { language, format: createFormat(language, navigator.languages) };
    }
    const { state } = flow;
    this.#body.lang = language;
    this.#dress(state.calendar);
    patch(
      this.#body,
      render({
        flow,
        state,
        strings: stringsFor(language),
        format: this.#format.format,
        visitorZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        reveal: (selector) => this.#reveal(selector),
        text: (texts) => textIn(texts, language, state.calendar?.locale),
        clear: (selector) => {
          const pad = this.#root.querySelector<HTMLCanvasElement>(selector);
          pad?.getContext("2d")?.clearRect(0, 0, pad.width, pad.height);
        },
        imageUrl: (room) => this.#imageUrl(room),
        download: (booking) => download(booking),
      }),
    );
    if (state.focus && state.focus.id !== this.#focused) {
      this.#focused = state.focus.id;
      const target = this.#root.querySelector<HTMLElement>(`[data-focus="${state.focus.target}"]`);
      target?.focus({ preventScroll: true });
      if (state.focus.target !== "heading") target?.scrollIntoView({ block: "nearest" });
      // A new step begins at the top, with what stands above its heading.
      else if (this.getBoundingClientRect().top < 0) this.scrollIntoView();
    }
  }

  /** The venue's colours; what the page sets wins over them, by the style sheet. */
  #dress(calendar: BookingCalendar | null): void {
    const { theme, accent_color } = calendar ?? {};
    if (theme === "light" || theme === "dark") this.#body.dataset.theme = theme;
    else delete this.#body.dataset.theme;
    if (accent_color && /^#[0-9a-f]{6}$/i.test(accent_color)) {
      this.#body.style.setProperty("--brand", accent_color);
    } else this.#body.style.removeProperty("--brand");
  }

  #reveal(selector: string): void {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    // After the rendering, which is queued already.
    queueMicrotask(() =>
      this.#root.querySelector(selector)?.scrollIntoView({
        block: "nearest",
        behavior: calm ? "auto" : "smooth",
      })
    );
  }

  #imageUrl(room: Room): string | null {
    if (!room.image_path) return null;
    const path = room.image_path.split("/").map(encodeURIComponent).join("/");
    return `${this.#apiUrl}/storage/v1/object/public/${ROOM_IMAGES}/${path}`;
  }

  #onVisible = () => {
    if (document.visibilityState === "visible") void this.#flow?.wake();
  };

  #onPageShow = (event: PageTransitionEvent) => {
    if (event.persisted) void this.#flow?.comeBack();
  };
}

/** What the address says of a booking, in the query or the fragment; the token is taken out of it. */
function takeEntry(slug: string): Entry {
  if (entryTaken) return noEntry;
  const address = new URL(location.href);
  const fragment = new URLSearchParams(address.hash.slice(1));
  const get = (name: string) => address.searchParams.get(name) ?? fragment.get(name);
  const token = get("token");
  if (token !== null && (get("waiver") !== null || get("waitlist") !== null)) {
    entryTaken = true;
    history.replaceState(history.state, "", cleanAddress(location.href));
    return get("waiver") !== null ? { ...noEntry, waiver: token } : { ...noEntry, leave: token };
  }
  const entry: Entry = { reference: get("reference"), token, payment: get("payment") };
  if (entry.reference === null) return noEntry;
  const owner = store.load(entry.reference)?.calendar;
  if (owner !== undefined && owner !== slug && entry.token === null) return noEntry;
  entryTaken = true;
  // The token must not stay where the history, a screenshot or a Referer header could carry it; the
  // reference may, so that a reload in this tab shows the booking again.
  const kept = new URL(cleanAddress(location.href));
  kept.searchParams.set("reference", entry.reference);
  history.replaceState(history.state, "", kept);
  return entry;
}

function cleanAddress(href: string): string {
  const address = new URL(href);
  const fragment = new URLSearchParams(address.hash.slice(1));
  for (const name of ["reference", "token", "payment", "waiver", "waitlist"]) {
    address.searchParams.delete(name);
    // A fragment that is the page's own is left exactly as it is.
    if (fragment.has(name)) {
      fragment.delete(name);
      address.hash = fragment.toString();
    }
  }
  return address.href;
}

/** A random key; `randomUUID` exists only in secure contexts. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function download(booking: Booking): void {
  const text = renderCalendar({
    name: booking.organization.name,
    timezone: booking.timezone,
    events: [{
      uid: `${booking.reference}@escapemaster`,
      startsAt: booking.starts_at,
      endsAt: booking.ends_at,
      updatedAt: booking.history.at(-1)?.at ?? booking.starts_at,
      sequence: booking.history.length,
      status: "CONFIRMED",
      summary: `${booking.room_name} · ${booking.organization.name}`,
      description: booking.reference,
    }],
  });
  const url = URL.createObjectURL(new Blob([text], { type: "text/calendar" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${booking.reference}.ics`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

if (!customElements.get("escape-booking")) customElements.define("escape-booking", EscapeBooking);
