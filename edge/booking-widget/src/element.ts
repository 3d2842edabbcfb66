/** `<escape-booking>`: the custom element that joins the flow to the page it stands on. */
import type { BookingCalendar, RoomImage } from "../../_shared/booking.ts";
import { type Api, ApiError, createApi } from "./api.ts";
import { textIn } from "./customer.ts";
import { h, patch } from "./dom.ts";
import { Flow } from "./flow.ts";
import { createFormat, type Format, visitorZone } from "./format.ts";
import { type Language, pickLanguage } from "./language.ts";
import type { createMore } from "./more.ts";
import {
  clearAddress,
  leaveFor,
  linkTo,
  noEntry,
  readPreset,
  returnAddress,
  takeEntry,
  windowPast,
} from "./page.ts";
import { createStore } from "./store.ts";
import { stringsFor } from "./strings.ts";
import { fallbackScheme, lettersOn, styles } from "./styles.ts";
import { render } from "./views/index.ts";
import type { Entry } from "./world.ts";

/** The second script: its name and the hash of its bytes, known when this one is built. */
declare const MORE_FILE: string;
declare const MORE_INTEGRITY: string;

/** Where this script was loaded from: the address of the API unless the page says otherwise. */
const scriptOrigin = (() => {
  const script = document.currentScript;
  return script instanceof HTMLScriptElement && script.src ? new URL(script.src).origin : "";
})();

const ROOM_IMAGES = "room-images";
const store = createStore(() => sessionStorage, () => localStorage);
/** The address bar belongs to one widget: the first that asks, or the one that made the booking. */
let entryTaken = false;
let moreLoading: Promise<typeof createMore> | null = null;

/**
 * A venue's booking page as one element; edge/README.md says what its attributes, custom properties
 * and events are.
 *
 * ```html
 * <script src="https://<project>/functions/v1/booking-widget" async></script>
 * <escape-booking calendar="slug" publishable-key="…" service-url="https://…"></escape-booking>
 * ```
 */
export class EscapeBooking extends HTMLElement {
  static readonly observedAttributes = [
    "calendar",
    "api-url",
    "service-url",
    "publishable-key",
    "lang",
    "room",
    "date",
    "party",
    "coupon",
    "name",
    "email",
    "view",
  ];
  /** The second script hands itself over here. */
  static createMore: typeof createMore | null = null;

  #root = this.attachShadow({ mode: "open" });
  #body = document.createElement("div");
  #flow: Flow | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #scheduled = false;
  #beginning = false;
  #entry: { readonly slug: string; readonly entry: Entry } | null = null;
  #focused = 0;
  #dressedForMore = false;
  #format: { readonly language: Language; readonly format: Format } | null = null;

  constructor() {
    super();
    this.#adopt(styles);
    this.#body.className = "widget";
    // The languages of the widget are written from left to right, whatever the page's is.
    this.#body.dir = "ltr";
    this.#root.append(this.#body);
  }

  #adopt(styles: string): void {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(styles);
      this.#root.adoptedStyleSheets = [...this.#root.adoptedStyleSheets, sheet];
    } catch {
      // Browsers without constructable sheets.
      const sheet = document.createElement("style");
      sheet.textContent = styles;
      this.#root.prepend(sheet);
    }
  }

  connectedCallback(): void {
    document.addEventListener("visibilitychange", this.#onVisible);
    globalThis.addEventListener("pageshow", this.#onPageShow);
    globalThis.addEventListener("online", this.#onOnline);
    globalThis.addEventListener("popstate", this.#onPopState);
    this.#timer = setInterval(() => this.#flow?.paying.tick(), 500);
    this.#beginSoon();
  }

  disconnectedCallback(): void {
    document.removeEventListener("visibilitychange", this.#onVisible);
    globalThis.removeEventListener("pageshow", this.#onPageShow);
    globalThis.removeEventListener("online", this.#onOnline);
    globalThis.removeEventListener("popstate", this.#onPopState);
    clearInterval(this.#timer);
    this.#flow?.stop();
    this.#flow = null;
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now || !this.isConnected) return;
    if (name === "lang" && this.#flow) this.#schedule();
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

  #attribute(name: string): string {
    return (this.getAttribute(name) ?? "").trim();
  }

  /** A setting, without slashes at its end. */
  #setting(name: string): string {
    return this.#attribute(name).replace(/\/+$/, "");
  }

  get #apiUrl(): string {
    return this.#setting("api-url") || scriptOrigin;
  }

  #begin(): void {
    this.#flow?.stop();
    this.#flow = null;
    const slug = this.#setting("calendar");
    const publishableKey = this.#setting("publishable-key");
    const missing = ["calendar", "publishable-key", "service-url"].filter((name) =>
      !this.#setting(name)
    );
    if (missing.length > 0) return this.#refuse(missing.join(", "));
    if (this.#entry?.slug !== slug) {
      const found = entryTaken ? null : takeEntry(slug, store);
      entryTaken ||= found !== null;
      this.#entry = { slug, entry: found ?? noEntry };
    }
    const flow = new Flow({
      api: createApi({
        apiUrl: this.#apiUrl,
        serviceUrl: this.#setting("service-url"),
        publishableKey,
      }) as Api,
      store,
      slug,
      entry: this.#entry.entry,
      preset: readPreset((name) => this.#attribute(name)),
      past: windowPast(),
      locale: () => this.#language,
      now: () => performance.timeOrigin + performance.now(),
      wallClock: () => Date.now(),
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      newKey,
      redirect: leaveFor,
      returnUrl: () => returnAddress(),
      linkTo,
      clearAddress: () => {
        this.#entry = { slug, entry: noEntry };
        clearAddress();
      },
      copy: (text) => navigator.clipboard.writeText(text),
      share: "share" in navigator ? (url) => navigator.share({ url }) : null,
      emit: (event, detail) =>
        this.dispatchEvent(
          new CustomEvent(`escape-booking:${event}`, { detail, bubbles: true, composed: true }),
        ),
      loadMore: () => this.#loadMore(),
    });
    this.#flow = flow;
    flow.onChange(() => this.#schedule());
    this.#schedule();
    void flow.start();
    // The colours of older browsers are in the second script.
    if (fallbackScheme(this, "")) void flow.loadMore().then(() => this.#schedule(), () => {});
  }

  /** An element that lacks a setting says so to whoever builds the page. */
  #refuse(missing: string): void {
    console.error(`escape-booking: the element needs the attribute ${missing}`);
    const text = stringsFor(this.#language).notSetUp(missing);
    patch(this.#body, [h("div", { class: "center", role: "alert" }, h("p", {}, text))]);
  }

  #loadMore(): Promise<typeof createMore> {
    moreLoading ??= new Promise<typeof createMore>((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${this.#apiUrl}/functions/v1/booking-widget/${MORE_FILE}`;
      script.integrity = MORE_INTEGRITY;
      script.crossOrigin = "anonymous";
      script.onload = () =>
        EscapeBooking.createMore ? resolve(EscapeBooking.createMore) : script.onerror?.("");
      script.onerror = () => {
        moreLoading = null;
        script.remove();
        reject(new ApiError("network", 0));
      };
      document.head.append(script);
    });
    return moreLoading;
  }

  get #language(): Language {
    const calendar = this.#flow?.state.calendar;
    const offered = (tag: unknown) =>
      !calendar?.locales?.length || calendar.locales.includes(pickLanguage([tag]));
    return pickLanguage([
      this.getAttribute("lang"),
      ...[document.documentElement.lang, ...navigator.languages ?? []].filter(offered),
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
      this.#format = { language, format: createFormat(language, navigator.languages ?? []) };
    }
    const { state } = flow;
    if (flow.more && !this.#dressedForMore) {
      this.#dressedForMore = true;
      this.#adopt(flow.more.styles);
    }
    this.#body.lang = language;
    this.#dress(state.calendar);
    patch(
      this.#body,
      render({
        flow,
        state,
        language,
        strings: stringsFor(language),
        format: this.#format.format,
        visitorZone: visitorZone(),
        reveal: (selector) => this.#reveal(selector),
        text: (texts) => textIn(texts, language, state.calendar?.locale),
        clear: (selector) => {
          const pad = this.#root.querySelector<HTMLCanvasElement>(selector);
          pad?.getContext("2d")?.clearRect(0, 0, pad.width, pad.height);
        },
        imageUrl: (image) => this.#imageUrl(image),
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
    const { dataset, style } = this.#body;
    if (theme === "light" || theme === "dark") dataset.theme = theme;
    else delete dataset.theme;
    if (accent_color && /^#[0-9a-f]{6}$/i.test(accent_color)) {
      style.setProperty("--brand", accent_color);
      style.setProperty("--on-brand", lettersOn(accent_color));
    } else style.removeProperty("--brand");
    const scheme = fallbackScheme(this, this.#attribute("theme") || theme);
    if (scheme) dataset.scheme = scheme;
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

  #imageUrl(image: RoomImage): string {
    const path = image.path.split("/").map(encodeURIComponent).join("/");
    return `${this.#apiUrl}/storage/v1/object/public/${ROOM_IMAGES}/${path}`;
  }

  #onVisible = () => {
    if (document.visibilityState === "visible") void this.#flow?.wake();
  };

  #onOnline = () => void this.#flow?.wake();

  #onPopState = () => void this.#flow?.trail.follow();

  #onPageShow = (event: PageTransitionEvent) => {
    if (event.persisted) void this.#flow?.paying.comeBack();
  };
}

/** A random key; `randomUUID` exists only in secure contexts. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

if (!customElements.get("escape-booking")) customElements.define("escape-booking", EscapeBooking);
