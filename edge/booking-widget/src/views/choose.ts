/** Step 1: which room, how many players, which day, which time. */
import type { Room, Slot } from "../../../_shared/booking.ts";
import { addMonths, moveByKey, weeks } from "../dates.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { back, button, header, icon, notice, stepper, type View } from "./parts.ts";

/** A day with so few times left (or fewer) is shown as almost full. */
const FEW = 2;

export function choose(view: View): Child {
  const { flow } = view;
  return [
    header(view, 1, view.strings.title),
    notice(view),
    flow.dateFirst ? null : rooms(view),
    players(view),
    when(view),
  ];
}

/** The same for a booking that is moved. */
export function move(view: View): Child {
  const { state, strings, format, flow } = view;
  const { booking } = state;
  if (!booking) return null;
  const now = [
    booking.room_name,
    format.date(booking.starts_at, booking.timezone),
    format.time(booking.starts_at, booking.timezone),
    strings.playerCount(booking.party_size),
  ].join(" · ");
  return [
    back(view, () => flow.moving.leave()),
    header(view, null, strings.moveTitle),
    h("p", { class: "lead", key: "now" }, strings.moveNow(now)),
    notice(view),
    rooms(view),
    players(view),
    state.roomId === booking.room_id && state.partySize !== booking.party_size && h(
      "div",
      { class: "actions", key: "keep" },
      button({
        kind: "plain",
        label: [icon("clock"), strings.keepTime],
        press: () => void flow.moving.keepTime(),
      }),
    ),
    when(view),
  ];
}

function when(view: View): Child {
  return [
    h("div", { class: "when", key: "when" }, monthPanel(view), timesPanel(view)),
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

// ---- rooms ----

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
  const { state, flow } = view;
  const chosen = room.id === state.roomId;
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
      roomFacts(view, room),
      h("span", { class: "room-price" }, ...roomPrice(view, room)),
    ),
  );
}

function roomPrice({ strings, format, state }: View, room: Room): Child[] {
  const price = format.shortMoney(room.price_cents, state.calendar?.currency ?? "EUR");
  return [
    room.price_per === "person" ? strings.perPerson(price) : strings.perGroup(price),
    room.mode === "shared" && h("span", { class: "tag" }, strings.shared),
  ];
}

function roomFacts({ strings, format, state }: View, room: Room): VNode {
  // Where it is matters once there is more than one place.
  const places = new Set(state.calendar?.rooms.map((one) => one.location_name));
  return h(
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
      h(
        "span",
        { "aria-hidden": "true" },
        room.minimum_party === room.maximum_party
          ? room.minimum_party
          : `${room.minimum_party}–${room.maximum_party}`,
      ),
      h("span", { class: "sr" }, strings.playerRange(room.minimum_party, room.maximum_party)),
    ),
    room.difficulty !== null && difficulty(strings, room.difficulty),
    places.size > 1 && room.location_name &&
      h("span", { class: "fact", key: "place" }, room.location_name),
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

function difficulty(strings: View["strings"], level: number): VNode {
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

export function players(view: View): Child {
  const { state, strings, flow } = view;
  const { minimum, maximum } = flow.party;
  if (!Number.isFinite(minimum)) return null;
  return h(
    "div",
    { class: "players", key: "players", role: "group", "aria-labelledby": "players" },
    h(
      "div",
      { class: "players-text" },
      h("span", { class: "label", id: "players" }, strings.players),
      h("span", { class: "muted small" }, strings.playerRange(minimum, maximum)),
    ),
    stepper({
      value: state.partySize,
      minimum,
      maximum,
      fewer: strings.fewer,
      more: strings.more,
      spoken: strings.playerCount(state.partySize),
      change: (value) => void flow.setPartySize(value),
    }),
  );
}

// ---- the month ----

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
  // A price under each day tells something only where the days differ.
  const prices = new Set(state.slots?.map((slot) => slot.price_cents));
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
          h(
            "tr",
            { key: `week-${row}` },
            week.map((day, column) => dayCell(view, day, column, prices.size > 1)),
          )
        ),
      ),
    ),
    empty
      ? h(
        "div",
        { class: "month-empty" },
        h("p", {}, strings.monthFull(format.month(state.month))),
        h(
          "div",
          { class: "actions" },
          button({
            kind: "plain",
            label: strings.searchNext,
            press: () => void flow.findNextFree(),
          }),
        ),
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

function dayCell(view: View, day: string | null, column: number, priced: boolean): VNode {
  const { state, strings, format, flow } = view;
  if (day === null) return h("td", { key: `blank-${column}`, class: "blank" });
  const slots = flow.slotsOn(day);
  const times = slots.length;
  const known = state.slots !== null;
  const kind = times === 0 ? "none" : times <= FEW ? "few" : "free";
  const today = day === flow.range.first;
  const cheapest = flow.cheapestOn(day);
  const price = cheapest && format.shortMoney(cheapest.price_cents, cheapest.currency);
  const several = slots.some((slot) => slot.price_cents !== cheapest?.price_cents);
  const label = [
    format.day(day),
    today ? strings.dayToday : "",
    known ? times > 0 ? strings.dayFree(times) : strings.dayFull : "",
    price ? several ? strings.fromPrice(price) : price : "",
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
        // Written by the style sheet; the label says it to those who hear it.
        "data-price": priced && price,
        "data-focus": `day-${day}`,
        "aria-label": label.filter(Boolean).join(", "),
        "aria-current": today && "date",
        "aria-pressed": day === state.day ? "true" : "false",
        "aria-disabled": flow.canSelect(day) ? undefined : "true",
        tabindex: day === state.focusDay ? 0 : -1,
        onclick: () => {
          flow.selectDay(day);
          view.reveal(".times");
        },
      },
      h("span", { class: "day-number" }, Number(day.slice(8))),
    ),
  );
}

// ---- the times of a day ----

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
      ? flow.canWaitFor(state.day ?? state.month) ? waitOffer(view) : h(
        "p",
        { class: "muted", key: "none" },
        state.slots === null ? strings.loadingTimes : strings.pickDay,
      )
      : [
        flow.dateFirst ? slotsByRoom(view, slots) : slotList(view, slots),
        h(
          "p",
          { class: "muted small", key: "note" },
          strings.priceNote(strings.playerCount(state.partySize)),
        ),
      ],
  );
}

function waitOffer({ strings, flow }: View): VNode {
  return h(
    "div",
    { class: "wait-offer", key: "wait" },
    h("p", {}, strings.waitOffer),
    h(
      "div",
      { class: "actions" },
      button({
        kind: "plain",
        label: [icon("clock"), strings.waitTitle],
        press: () => flow.openWaitlist(),
      }),
    ),
  );
}

function slotsByRoom(view: View, slots: readonly Slot[]): Child {
  const all = view.state.calendar?.rooms ?? [];
  return all.map((room, index) => {
    const own = slots.filter((slot) => slot.room_id === room.id);
    if (own.length === 0) return null;
    return h(
      "div",
      { class: "room-times", key: `times-${room.id}` },
      h(
        "div",
        { class: "room-head" },
        roomArt(view, room, index),
        h(
          "div",
          { class: "room-body" },
          h("h4", { class: "room-name", id: `room-${room.id}` }, room.name),
          roomFacts(view, room),
          h("span", { class: "room-price" }, ...roomPrice(view, room)),
        ),
      ),
      slotList(view, own, `room-${room.id}`),
    );
  });
}

function slotList(view: View, slots: readonly Slot[], labelledBy?: string): VNode {
  return h(
    "ul",
    { class: "slots", key: "slots", "aria-labelledby": labelledBy },
    slots.map((slot) =>
      h("li", { key: `${slot.room_id} ${slot.starts_at}` }, slotButton(view, slot))
    ),
  );
}

function slotButton(view: View, slot: Slot): VNode {
  const { format, flow, strings } = view;
  const shared = flow.roomOf(slot.room_id)?.mode === "shared";
  return h(
    "button",
    { type: "button", class: "slot", onclick: () => void flow.chooseSlot(slot) },
    h("span", { class: "slot-time" }, format.time(slot.starts_at, slot.timezone)),
    h("span", { class: "sr" }, ", "),
    h("span", { class: "slot-price" }, format.shortMoney(slot.price_cents, slot.currency)),
    shared && h("span", { class: "slot-seats" }, strings.seatsLeft(slot.seats_available)),
  );
}
