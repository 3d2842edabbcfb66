/** What each step looks like: from the state to a tree, nothing else. */
import type { Booking, PriceLine, Room, Slot } from "../../_shared/booking.ts";
import { type Field, problemText } from "./customer.ts";
import { addMonths, moveByKey, weeks } from "./dates.ts";
import { type Child, h, type VNode } from "./dom.ts";
import type { Flow, State } from "./flow.ts";
import { clock, type Format } from "./format.ts";
import type { Strings } from "./strings.ts";

export interface View {
  readonly flow: Flow;
  readonly state: State;
  readonly strings: Strings;
  readonly format: Format;
  /** The visitor's own zone, to say when the venue's is another. */
  readonly visitorZone: string;
  imageUrl(room: Room): string | null;
  /** Bring a part into sight once it is rendered: on a phone it may be below the edge. */
  reveal(selector: string): void;
  /** Offer the booking as a calendar file. */
  download(booking: Booking): void;
}

/** A day with so few times left (or fewer) is shown as almost full. */
const FEW = 2;

export function render(view: View): VNode[] {
  const { state, strings, format } = view;
  const { announcement } = state;
  return [
    h(
      "div",
      { class: "sr", role: "status", "aria-live": "polite" },
      announcement
        ? h("span", { key: `say-${announcement.id}` }, announcement.text(strings, format))
        : null,
    ),
    h("div", { class: "body", key: state.step, "data-step": state.step }, content(view)),
  ];
}

function content(view: View): Child {
  switch (view.state.step) {
    case "loading":
      return loading(view);
    case "failed":
      return failed(view);
    case "choose":
      return choose(view);
    case "details":
      return details(view);
    case "pay":
      return pay(view);
    case "confirming":
    case "slow":
      return confirming(view);
    case "booking":
      return booked(view);
    case "elsewhere":
      return elsewhere(view);
  }
}

// ---- parts that steps share ----

function heading(text: string): VNode {
  return h("h2", { class: "title", tabindex: -1, "data-focus": "heading" }, text);
}

function header(view: View, step: 1 | 2 | 3, title: string): VNode {
  const { strings, state } = view;
  const names = [strings.stepWhen, strings.stepDetails, strings.stepPay];
  const venue = state.calendar?.organization.name ?? state.booking?.organization.name;
  return h(
    "header",
    { class: "head" },
    h(
      "div",
      { class: "head-text" },
      venue && h("p", { class: "venue" }, venue),
      heading(title),
    ),
    h(
      "ol",
      { class: "steps", "aria-label": strings.stepOf(step, names.length) },
      names.map((name, index) =>
        h(
          "li",
          {
            class: "step",
            key: `step-${index}`,
            "data-done": index + 1 < step,
            "aria-current": index + 1 === step && "step",
          },
          h(
            "span",
            { class: "step-mark", "aria-hidden": "true" },
            index + 1 < step ? icon("check") : index + 1,
          ),
          h("span", { class: "step-name" }, name),
        )
      ),
    ),
  );
}

function notice(view: View): Child {
  const { notice } = view.state;
  if (!notice) return null;
  return h(
    "div",
    {
      class: "notice",
      key: "notice",
      role: notice.tone === "error" ? "alert" : "status",
      "data-tone": notice.tone,
      "data-focus": "notice",
      tabindex: -1,
    },
    icon(notice.tone === "error" ? "alert" : "info"),
    h("p", {}, notice.text(view.strings, view.format)),
  );
}

interface ButtonOptions {
  readonly kind: "primary" | "plain" | "link" | "danger";
  readonly label: Child;
  readonly busy?: boolean;
  readonly disabled?: boolean;
  readonly submit?: boolean;
  readonly focus?: string;
  readonly press?: () => void;
}

function button(options: ButtonOptions): VNode {
  return h(
    "button",
    {
      class: options.kind,
      type: options.submit ? "submit" : "button",
      // A disabled button would lose the focus of whoever has just pressed it.
      "aria-disabled": options.busy || options.disabled ? "true" : undefined,
      "data-focus": options.focus,
      onclick: options.press && !options.busy && !options.disabled ? options.press : null,
    },
    options.busy && h("span", { class: "spinner", "aria-hidden": "true" }),
    h("span", {}, options.label),
  );
}

const paths = {
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  alert: "M12 8v5m0 3.2v.1M12 3.5l9.2 16.2H2.8z",
  info: "M12 11v5.5m0-9v.1M12 21a9 9 0 100-18 9 9 0 000 18z",
  clock: "M12 7v5l3 2M12 21a9 9 0 100-18 9 9 0 000 18z",
  people:
    "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20c.4-3.6 3-5.5 6.5-5.500s6.1 1.9 6.5 5.500M16 4.300a3.5 3.5 0 010 6.400M18 14.900c2 .7 3.2 2.5 3.5 5.1",
  minus: "M6 12h12",
  plus: "M6 12h12M12 6v12",
  calendar:
    "M4 10h16M8 3v4m8-4v4M5 5.500h14a1 1 0 011 1V20a1 1 0 01-1 1H5a1 1 0 01-1-1V6.500a1 1 0 011-1z",
  cross: "M7 7l10 10M17 7L7 17",
  key:
    "M14.5 14a5 5 0 10-4.7-3.300L3 17.500V21h3.500v-2.500H9V16h2.300l1.2-1.200c.6.2 1.3.2 2 .2zM16 8v.1",
} as const;

function icon(name: keyof typeof paths): VNode {
  return h(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", key: `icon-${name}` },
    h("path", { d: paths[name] }),
  );
}

// ---- loading, failing ----

function loading({ strings }: View): Child {
  return h(
    "div",
    { class: "center", "aria-busy": "true" },
    h("span", { class: "spinner large", "aria-hidden": "true" }),
    h("p", { class: "muted" }, strings.loading),
  );
}

function failed(view: View): Child {
  const { strings, flow, state, format } = view;
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge", "data-tone": "error" }, icon("alert")),
    heading(state.notice?.text(strings, format) ?? ""),
    h(
      "div",
      { class: "actions" },
      button({ kind: "primary", label: strings.retry, press: () => void flow.retry() }),
      flow.entered && button({
        kind: "link",
        label: strings.bookAnother,
        press: () => void flow.bookAnother(),
      }),
    ),
  );
}

// ---- step 1: room, players, day, time ----

function choose(view: View): Child {
  const { strings } = view;
  return [
    header(view, 1, strings.title),
    notice(view),
    rooms(view),
    players(view),
    h(
      "div",
      { class: "when" },
      monthPanel(view),
      timesPanel(view),
    ),
    h("p", { class: "zone" }, icon("clock"), zoneNote(view)),
  ];
}

function zoneNote({ strings, format, flow, visitorZone, state }: View): string {
  const zone = flow.room?.timezone ?? state.calendar?.timezone ?? "UTC";
  const at = flow.world.now();
  const note = strings.zoneNote(format.zone(zone, at));
  const offset = (name: string) => format.zone(name, at).match(/\(.*\)/)?.[0];
  return offset(zone) === offset(visitorZone) ? note : `${note} ${strings.zoneDiffers}`;
}

function rooms(view: View): Child {
  const { state, strings, flow } = view;
  const all = state.calendar?.rooms ?? [];
  return h(
    "fieldset",
    { class: "rooms" },
    h("legend", { class: "label" }, strings.chooseRoom),
    h(
      "div",
      { class: "room-list", "data-count": Math.min(all.length, 3) },
      all.map((room, index) => roomCard(view, room, index, all.length === 1)),
    ),
    flow.room?.description && h("p", { class: "room-text" }, flow.room.description),
  );
}

function roomCard(view: View, room: Room, index: number, only: boolean): VNode {
  const { state, strings, format, flow } = view;
  const chosen = room.id === state.roomId;
  const price = format.shortMoney(room.price_cents, state.calendar?.currency ?? "EUR");
  return h(
    "label",
    { class: "room", key: `room-${room.id}`, "data-chosen": chosen },
    h("input", {
      type: "radio",
      name: "room",
      class: "sr",
      value: room.id,
      checked: chosen,
      hidden: only,
      onchange: () => void flow.selectRoom(room.id),
    }),
    roomArt(view, room, index),
    h(
      "span",
      { class: "room-body" },
      h("span", { class: "room-name" }, room.name),
      h(
        "span",
        { class: "room-facts" },
        h(
          "span",
          { class: "fact", key: "time" },
          icon("clock"),
          format.duration(room.duration_minutes),
        ),
        h(
          "span",
          { class: "fact", key: "party" },
          icon("people"),
          h("span", { "aria-hidden": "true" }, `${room.minimum_party}–${room.maximum_party}`),
          h("span", { class: "sr" }, strings.playerRange(room.minimum_party, room.maximum_party)),
        ),
        room.difficulty !== null && difficulty(strings, room.difficulty),
      ),
      h(
        "span",
        { class: "room-price" },
        room.price_per === "person" ? strings.perPerson(price) : strings.perGroup(price),
        room.mode === "shared" && h("span", { class: "tag" }, strings.shared),
      ),
    ),
  );
}

function roomArt(view: View, room: Room, index: number): VNode {
  const image = view.imageUrl(room);
  // Steps of the golden angle: neighbours never look alike, however many rooms there are.
  const hue = Math.round(165 + index * 137.5) % 360;
  return h(
    "span",
    { class: "room-art", "aria-hidden": "true", "--hue": hue },
    icon("key"),
    // What is drawn behind it stays when the picture does not load.
    image && h("img", {
      key: image,
      src: image,
      alt: "",
      loading: "lazy",
      onerror: (event: Event) => (event.target as HTMLElement).hidden = true,
    }),
  );
}

function difficulty(strings: Strings, level: number): VNode {
  return h(
    "span",
    { class: "fact", key: "difficulty" },
    h(
      "span",
      { class: "pips", "aria-hidden": "true" },
      [1, 2, 3, 4, 5].map((pip) => h("i", { key: `pip-${pip}`, "data-on": pip <= level })),
    ),
    h("span", { class: "sr" }, strings.difficulty(level)),
  );
}

function players(view: View): Child {
  const { state, strings, flow } = view;
  const { room } = flow;
  if (!room) return null;
  const step = (by: number, label: string, name: "minus" | "plus") => {
    const next = state.partySize + by;
    const possible = next >= room.minimum_party && next <= room.maximum_party;
    return h(
      "button",
      {
        type: "button",
        class: "round",
        key: name,
        "aria-label": label,
        "aria-disabled": possible ? undefined : "true",
        onclick: () => void flow.setPartySize(next),
      },
      icon(name),
    );
  };
  return h(
    "div",
    { class: "players", role: "group", "aria-labelledby": "players" },
    h(
      "div",
      { class: "players-text" },
      h("span", { class: "label", id: "players" }, strings.players),
      h(
        "span",
        { class: "muted small" },
        strings.playerRange(room.minimum_party, room.maximum_party),
      ),
    ),
    h(
      "div",
      { class: "stepper" },
      step(-1, strings.fewer, "minus"),
      h(
        "output",
        { class: "party", "aria-live": "polite" },
        h("span", { "aria-hidden": "true" }, state.partySize),
        h("span", { class: "sr" }, strings.playerCount(state.partySize)),
      ),
      step(1, strings.more, "plus"),
    ),
  );
}

function monthPanel(view: View): VNode {
  const { state, strings, format, flow } = view;
  const turn = (by: number, label: string, name: "left" | "right") => {
    const month = addMonths(state.month, by);
    return h(
      "button",
      {
        type: "button",
        class: "round",
        key: name,
        "aria-label": label,
        "aria-disabled": flow.canShow(month) ? undefined : "true",
        onclick: () => void flow.showMonth(month),
      },
      icon(name),
    );
  };
  const names = format.weekdays();
  const empty = state.slots?.length === 0 && !state.busy;
  return h(
    "section",
    { class: "month", "aria-label": strings.chooseDay },
    h(
      "div",
      { class: "month-head" },
      h("h3", { class: "month-name", id: "month" }, format.month(state.month)),
      h(
        "div",
        { class: "month-turn" },
        turn(-1, strings.previousMonth, "left"),
        turn(1, strings.nextMonth, "right"),
      ),
    ),
    h(
      "table",
      {
        class: "grid",
        role: "grid",
        "aria-labelledby": "month",
        "aria-busy": state.slots === null ? "true" : "false",
        onkeydown: (event: KeyboardEvent) => onGridKey(event, view),
      },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          names.map((name) =>
            h(
              "th",
              { scope: "col", key: name.long },
              h("span", { "aria-hidden": "true" }, name.short),
              h("span", { class: "sr" }, name.long),
            )
          ),
        ),
      ),
      h(
        "tbody",
        {},
        weeks(state.month, format.weekStart).map((week, row) =>
          h("tr", { key: `week-${row}` }, week.map((day, column) => dayCell(view, day, column)))
        ),
      ),
    ),
    empty
      ? h(
        "div",
        { class: "month-empty" },
        h("p", {}, strings.monthFull(format.month(state.month))),
        button({
          kind: "plain",
          label: strings.searchNext,
          press: () => void flow.findNextFree(),
        }),
      )
      : h(
        "ul",
        { class: "legend", "aria-hidden": "true" },
        h("li", { "data-kind": "free" }, strings.legendFree),
        h("li", { "data-kind": "few" }, strings.legendFew),
        h("li", { "data-kind": "none" }, strings.legendFull),
      ),
  );
}

/** Arrow keys and their kin move; nothing else is taken from the browser. */
function onGridKey(event: KeyboardEvent, view: View): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const to = moveByKey(view.state.focusDay, event.key, view.format.weekStart);
  if (to === null) return;
  event.preventDefault();
  void view.flow.moveFocus(to);
}

function dayCell(view: View, day: string | null, column: number): VNode {
  const { state, strings, format, flow } = view;
  if (day === null) return h("td", { key: `blank-${column}`, class: "blank" });
  const times = flow.slotsOn(day).length;
  const known = state.slots !== null;
  const kind = times === 0 ? "none" : times <= FEW ? "few" : "free";
  const today = day === flow.range.first;
  const label = [
    format.day(day),
    today ? strings.dayToday : "",
    known ? times > 0 ? strings.dayFree(times) : strings.dayFull : "",
  ];
  return h(
    "td",
    {
      key: day,
      role: "gridcell",
      "aria-selected": day === state.day ? "true" : "false",
    },
    h(
      "button",
      {
        type: "button",
        class: "day",
        "data-kind": known ? kind : "wait",
        "data-past": day < flow.range.first,
        "data-focus": `day-${day}`,
        "aria-label": label.filter(Boolean).join(", "),
        "aria-current": today && "date",
        "aria-pressed": day === state.day ? "true" : "false",
        "aria-disabled": times === 0 ? "true" : undefined,
        tabindex: day === state.focusDay ? 0 : -1,
        onclick: () => {
          flow.selectDay(day);
          view.reveal(".times");
        },
      },
      Number(day.slice(8)),
    ),
  );
}

function timesPanel(view: View): VNode {
  const { state, strings, format, flow } = view;
  const slots = state.day ? flow.slotsOn(state.day) : [];
  return h(
    "section",
    { class: "times", "aria-labelledby": "times" },
    h(
      "h3",
      { class: "times-head", id: "times" },
      state.day ? format.day(state.day) : strings.chooseTime,
    ),
    slots.length === 0
      ? h("p", { class: "muted" }, state.slots === null ? strings.loadingTimes : strings.pickDay)
      : [
        h(
          "ul",
          { class: "slots" },
          slots.map((slot) => h("li", { key: slot.starts_at }, slotButton(view, slot))),
        ),
        h("p", { class: "muted small" }, strings.priceNote(strings.playerCount(state.partySize))),
      ],
  );
}

function slotButton(view: View, slot: Slot): VNode {
  const { format, flow, strings } = view;
  const seats = flow.room?.mode === "shared" ? strings.seatsLeft(slot.seats_available) : "";
  return h(
    "button",
    { type: "button", class: "slot", onclick: () => void flow.chooseSlot(slot) },
    h("span", { class: "slot-time" }, format.time(slot.starts_at, slot.timezone)),
    h("span", { class: "sr" }, ", "),
    h("span", { class: "slot-price" }, format.shortMoney(slot.price_cents, slot.currency)),
    seats && h("span", { class: "slot-seats" }, seats),
  );
}

// ---- step 2: who, and for how much ----

function details(view: View): Child {
  const { state, strings, format, flow } = view;
  const { quote, oldTotal } = state;
  const free = quote !== null && quote.due_now_cents === 0;
  return [
    h(
      "p",
      { class: "crumb" },
      button({
        kind: "link",
        label: [icon("left"), strings.back],
        press: () => flow.backToChoose(),
      }),
    ),
    header(view, 2, strings.stepDetails),
    notice(view),
    h(
      "div",
      { class: "columns", "data-first": "summary" },
      h(
        "form",
        {
          class: "form",
          novalidate: true,
          onsubmit: (event: Event) => {
            event.preventDefault();
            void flow.submitDetails();
          },
        },
        field(view, "full_name", strings.name, { autocomplete: "name", required: true }),
        field(view, "email", strings.email, {
          type: "email",
          autocomplete: "email",
          inputmode: "email",
          required: true,
        }, strings.emailHint),
        field(view, "phone", `${strings.phone} (${strings.optional})`, {
          type: "tel",
          autocomplete: "tel",
          inputmode: "tel",
        }),
        oldTotal !== null && quote
          ? h(
            "div",
            {
              class: "notice",
              key: "changed",
              role: "alert",
              "data-tone": "warn",
              "data-focus": "notice",
              tabindex: -1,
            },
            icon("info"),
            h(
              "p",
              {},
              strings.totalChanged(
                format.money(oldTotal, quote.currency),
                format.money(quote.total_cents, quote.currency),
              ),
            ),
          )
          : null,
        button({
          kind: "primary",
          submit: true,
          busy: state.busy === "hold",
          label: state.busy === "hold"
            ? strings.reserving
            : oldTotal !== null && quote
            ? strings.acceptTotal(format.money(quote.total_cents, quote.currency))
            : free
            ? strings.reserveFree
            : strings.reserve,
        }),
        !free && h(
          "p",
          { class: "muted small" },
          strings.reserveHint(state.calendar?.hold_minutes ?? 0),
        ),
      ),
      summary(view),
    ),
  ];
}

function field(
  view: View,
  name: Field,
  label: string,
  attributes: Record<string, unknown>,
  hint?: string,
): VNode {
  const { state, strings, flow } = view;
  const problem = state.fieldErrors[name];
  const described = [hint && `${name}-hint`, problem && `${name}-error`].filter(Boolean).join(" ");
  return h(
    "div",
    { class: "field", key: name },
    h("label", { for: name, class: "label" }, label),
    h("input", {
      id: name,
      name,
      type: "text",
      class: "input",
      maxlength: name === "phone" ? 24 : 200,
      ...attributes,
      value: state.form[name],
      "data-focus": `field-${name}`,
      "aria-invalid": problem ? "true" : undefined,
      "aria-describedby": described || undefined,
      oninput: (event: Event) => flow.type(name, (event.target as HTMLInputElement).value),
      onblur: () => flow.leaveField(name),
    }),
    hint && h("p", { class: "hint", id: `${name}-hint` }, hint),
    problem && h(
      "p",
      { class: "error", id: `${name}-error` },
      icon("alert"),
      problemText(problem, strings),
    ),
  );
}

/** What is being booked and what it costs, before there is a booking. */
function summary(view: View): Child {
  const { state, strings, format, flow } = view;
  const { slot, quote } = state;
  if (!slot || !flow.room) return null;
  return h(
    "aside",
    { class: "summary", "aria-label": strings.summary },
    ticket(view, {
      room: flow.room.name,
      startsAt: slot.starts_at,
      endsAt: slot.ends_at,
      timezone: slot.timezone,
      partySize: state.partySize,
    }),
    quote ? costs(view, quote) : h("p", { class: "muted", "aria-busy": "true" }, strings.loading),
    quote && quote.due_now_cents > 0 && quote.due_now_cents < quote.total_cents && h(
      "dl",
      { class: "due" },
      row(strings.dueNow, format.money(quote.due_now_cents, quote.currency)),
      row(
        strings.dueLater,
        format.money(quote.total_cents - quote.due_now_cents, quote.currency),
      ),
    ),
  );
}

interface Ticket {
  readonly room: string;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly timezone: string;
  readonly partySize: number;
}

function ticket({ strings, format }: View, what: Ticket): VNode {
  return h(
    "div",
    { class: "ticket" },
    h("p", { class: "ticket-room" }, what.room),
    h(
      "p",
      { class: "fact", key: "day" },
      icon("calendar"),
      format.date(what.startsAt, what.timezone),
    ),
    h(
      "p",
      { class: "fact", key: "time" },
      icon("clock"),
      `${format.time(what.startsAt, what.timezone)} – ${format.time(what.endsAt, what.timezone)}`,
    ),
    h("p", { class: "fact", key: "party" }, icon("people"), strings.playerCount(what.partySize)),
  );
}

interface Costs {
  readonly lines: readonly PriceLine[];
  readonly currency: string;
  readonly total_cents: number;
}

function costs({ strings, format }: View, { lines, currency, total_cents }: Costs): VNode {
  const tax = lines.reduce((sum, line) => sum + line.tax_cents, 0);
  const rates = new Set(
    lines.filter((line) => line.tax_cents !== 0).map((line) => line.tax_rate_bp),
  );
  const rate = rates.size === 1 ? format.percent([...rates][0] ?? 0) : "";
  return h(
    "dl",
    { class: "costs" },
    lines.map((line, index) =>
      row(
        line.quantity > 1
          ? `${line.description} · ${line.quantity}\u00a0×\u00a0${
            format.money(line.unit_cents, currency)
          }`
          : line.description,
        format.money(line.total_cents, currency),
        `line-${index}`,
      )
    ),
    h(
      "div",
      { class: "row total", key: "total" },
      h("dt", {}, strings.total),
      h("dd", {}, format.money(total_cents, currency)),
    ),
    tax > 0 && h(
      "div",
      { class: "row tax", key: "tax" },
      h("dt", { class: "sr" }, strings.total),
      h("dd", {}, strings.includesTax(format.money(tax, currency), rate)),
    ),
  );
}

function row(name: string, value: Child, key = name): VNode {
  return h("div", { class: "row", key }, h("dt", {}, name), h("dd", {}, value));
}

// ---- step 3: pay before the hold ends ----

function pay(view: View): Child {
  const { state, strings, format, flow } = view;
  const { booking } = state;
  if (!booking) return null;
  const ended = state.remaining === 0;
  return [
    header(view, 3, ended ? strings.holdEnded : strings.heldTitle),
    notice(view),
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        { class: "form" },
        ended
          ? [
            h("p", { class: "lead", key: "ended" }, strings.holdEndedText),
            button({
              kind: "primary",
              label: strings.chooseAgain,
              press: () => void flow.bookAnother(),
            }),
          ]
          : [
            h("p", { class: "lead", key: "held" }, strings.heldText),
            countdown(view),
            button({
              kind: "primary",
              busy: state.busy === "pay",
              label: state.busy === "pay"
                ? strings.opening
                : strings.pay(format.money(booking.due_now_cents, booking.currency)),
              press: () => void flow.pay(),
            }),
            h("p", { class: "muted small", key: "hint" }, strings.payHint),
            button({
              kind: "link",
              busy: state.busy === "release",
              label: strings.release,
              press: () => void flow.release(),
            }),
          ],
      ),
      h(
        "aside",
        { class: "summary", "aria-label": strings.summary },
        bookingTicket(view, booking),
        costs(view, booking),
      ),
    ),
  ];
}

function countdown({ state, strings, flow }: View): VNode {
  const whole = Math.max((flow.state.calendar?.hold_minutes ?? 15) * 60, state.remaining);
  return h(
    "div",
    {
      class: "countdown",
      role: "timer",
      "aria-live": "off",
      "data-low": state.remaining <= 60,
      "--left": (state.remaining / whole).toFixed(4),
    },
    h("span", { class: "countdown-label" }, strings.timeLeft),
    h("span", { class: "countdown-clock" }, clock(state.remaining)),
    h("span", { class: "countdown-bar", "aria-hidden": "true" }),
  );
}

function bookingTicket(view: View, booking: Booking): VNode {
  return ticket(view, {
    room: booking.room_name,
    startsAt: booking.starts_at,
    endsAt: booking.ends_at,
    timezone: booking.timezone,
    partySize: booking.party_size,
  });
}

// ---- after the payment ----

function confirming(view: View): Child {
  const { state, strings, flow } = view;
  const slow = state.step === "slow";
  const late = state.booking?.status === "expired";
  return h(
    "div",
    { class: "center" },
    slow
      ? h("span", { class: "badge" }, icon("clock"))
      : h("span", { class: "spinner large", "aria-hidden": "true" }),
    heading(slow ? strings.slowTitle : strings.confirmingTitle),
    h(
      "p",
      { class: "lead" },
      slow ? late ? strings.lateText : strings.slowText : strings.confirmingText,
    ),
    notice(view),
    slow && button({
      kind: "plain",
      busy: state.busy === "check",
      label: strings.checkAgain,
      press: () => void flow.checkAgain(),
    }),
  );
}

function elsewhere({ strings, flow }: View): Child {
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge" }, icon("info")),
    heading(strings.elsewhereTitle),
    h("p", { class: "lead" }, strings.elsewhereText),
    button({
      kind: "plain",
      label: strings.bookAnother,
      press: () => void flow.bookAnother(),
    }),
  );
}

function booked(view: View): Child {
  const { state, strings, format, flow } = view;
  const { booking } = state;
  if (!booking) return null;
  const cancelled = booking.status === "cancelled";
  const confirmed = booking.status === "confirmed";
  const title = cancelled
    ? strings.cancelledTitle
    : state.fresh
    ? strings.confirmedTitle
    : strings.bookingTitle;
  // The refund travels by itself: until it is in the books, what was promised is what counts.
  const refund = Math.max(state.promisedCents, booking.refunded_cents);
  const lead = state.fresh
    ? strings.confirmedText(booking.customer.email)
    : !cancelled
    ? ""
    : refund > 0
    ? strings.cancelledRefund(format.money(refund, booking.currency))
    : strings.cancelledText;
  return h(
    "div",
    { class: "booked" },
    h(
      "div",
      { class: "booked-head" },
      h(
        "span",
        { class: "badge", "data-tone": confirmed ? "good" : cancelled ? "error" : "plain" },
        icon(confirmed ? "check" : cancelled ? "cross" : "info"),
      ),
      h("div", {}, heading(title), lead && h("p", { class: "lead" }, lead)),
    ),
    notice(view),
    h(
      "div",
      { class: "card" },
      h(
        "div",
        { class: "card-top" },
        bookingTicket(view, booking),
        h(
          "div",
          { class: "reference" },
          h("span", { class: "muted small" }, strings.reference),
          h("strong", { class: "reference-code" }, booking.reference),
          h(
            "span",
            { class: "state", "data-tone": confirmed ? "good" : cancelled ? "error" : "plain" },
            strings.statuses[booking.status] ?? booking.status,
          ),
        ),
      ),
      h(
        "dl",
        { class: "facts" },
        row(strings.venue, booking.organization.name),
        row(strings.bookedBy, booking.customer.full_name),
        booking.paid_cents > 0 &&
          row(strings.paid, format.money(booking.paid_cents, booking.currency)),
        booking.refunded_cents > 0 &&
          row(strings.refunded, format.money(booking.refunded_cents, booking.currency)),
      ),
      costs(view, booking),
    ),
    state.asking === "cancel" ? question(view, booking) : h(
      "div",
      { class: "actions" },
      confirmed && button({
        kind: "plain",
        label: [icon("calendar"), strings.addToCalendar],
        press: () => view.download(booking),
      }),
      button({
        kind: "plain",
        label: strings.bookAnother,
        press: () => void flow.bookAnother(),
      }),
      booking.cancellable && button({
        kind: "danger",
        busy: state.busy === "check",
        label: strings.cancel,
        focus: "cancel",
        press: () => void flow.askCancel(),
      }),
    ),
  );
}

/** Cancelling is asked twice, with what it gives back in between. */
function question(view: View, booking: Booking): VNode {
  const { state, strings, format, flow } = view;
  const { refund_percent, refund_cents } = booking.cancellation;
  const amount = format.money(refund_cents, booking.currency);
  const text = booking.paid_cents === 0
    ? strings.cancelFree
    : refund_cents === 0
    ? strings.cancelNone
    : refund_percent >= 100
    ? strings.cancelFull(amount)
    : strings.cancelPart(format.percent(refund_percent * 100), amount);
  return h(
    "div",
    {
      class: "question",
      role: "alertdialog",
      "aria-labelledby": "question",
      "aria-describedby": "question-text",
      "data-focus": "question",
      tabindex: -1,
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === "Escape") flow.keep();
      },
    },
    h("h3", { id: "question", class: "question-title" }, strings.cancelTitle),
    h("p", { id: "question-text" }, text),
    h(
      "div",
      { class: "actions" },
      button({
        kind: "danger",
        busy: state.busy === "cancel",
        label: state.busy === "cancel" ? strings.cancelling : strings.cancelYes,
        press: () => void flow.confirmCancel(),
      }),
      button({ kind: "plain", label: strings.cancelNo, press: () => flow.keep() }),
    ),
  );
}
