/** Step 1: which room, how many players, which day, which time. */
import type { Room, Slot } from "../../../_shared/booking.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { about, roomArt } from "./gallery.ts";
import { monthPanel } from "./month.ts";
import {
  button,
  descriptionOf,
  header,
  icon,
  linkAgain,
  nameOf,
  nightOf,
  notice,
  stepper,
  type View,
} from "./parts.ts";

export function choose(view: View): Child {
  const { flow } = view;
  return [
    header(view, 1, view.strings.title),
    view.text(view.state.calendar?.descriptions) &&
    h("p", { class: "room-text", key: "sells" }, view.text(view.state.calendar?.descriptions)),
    notice(view),
    flow.dateFirst ? null : rooms(view),
    players(view),
    when(view),
    h("p", { class: "lost", key: "lost" }, linkAgain(view)),
  ];
}

export function when(view: View): Child {
  return [
    h("div", { class: "when", key: "when" }, monthPanel(view), timesPanel(view)),
    h("p", { class: "zone" }, icon("clock"), zoneNote(view)),
  ];
}

function zoneNote({ strings, format, flow, visitorZone, state }: View): string {
  const zone = flow.room?.timezone ?? state.calendar?.timezone ?? "UTC";
  const at = flow.world.now();
  const note = strings.zoneNote(format.zone(zone, at));
  const same = visitorZone === null || format.offset(zone, at) === format.offset(visitorZone, at);
  return same ? note : `${note} ${strings.zoneDiffers}`;
}

// ---- rooms ----

export function rooms(view: View): Child {
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
    // Folded where there is little room.
    flow.room && descriptionOf(view, flow.room) && [
      h("p", { class: "room-text", key: "text" }, descriptionOf(view, flow.room)),
      about(view, flow.room),
    ],
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
      onchange: () => void flow.choosing.selectRoom(room.id),
    }),
    roomArt(view, room, index),
    h(
      "span",
      { class: "room-body" },
      h("span", { class: "room-name" }, nameOf(view, room)),
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
    typeof room.minimum_age === "number" && fact(
      "age",
      strings.ages(room.minimum_age, room.minimum_age_accompanied ?? room.minimum_age),
    ),
    typeof room.fear === "number" && fact("fear", strings.fear(room.fear)),
    room.languages?.length > 0 && h(
      "span",
      { class: "fact", key: "languages" },
      h("span", { "aria-hidden": "true" }, room.languages.join(" · ").toUpperCase()),
      h("span", { class: "sr" }, format.languages(room.languages)),
    ),
    room.is_accessible && fact("accessible", strings.accessible),
    places.size > 1 && room.location_name && fact("place", room.location_name),
  );
}

const fact = (key: string, text: string) => h("span", { class: "fact", key }, text);

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
      change: (value) => void flow.choosing.setPartySize(value),
    }),
  );
}

// ---- the times of a day ----

function timesPanel(view: View): VNode {
  const { state, strings, format, flow } = view;
  const { choosing } = flow;
  const slots = state.day && state.slots || [];
  // Nobody is asked to pick a day when the days could not be loaded.
  if (state.unreachable) return h("section", { class: "times" });
  return h(
    "section",
    { class: "times", "aria-labelledby": "times" },
    h(
      "h3",
      { class: "times-head", id: "times" },
      state.day ? format.day(state.day) : strings.chooseTime,
    ),
    slots.length > 0 && [
      flow.dateFirst ? slotsByRoom(view, slots) : slotList(view, slots),
      h(
        "p",
        { class: "muted small", key: "note" },
        strings.priceNote(strings.playerCount(state.partySize)),
      ),
    ],
    !choosing.dayOf(state.day)?.free && choosing.canWaitFor(state.day ?? state.month)
      ? waitOffer(view)
      : slots.length === 0 && h(
        "p",
        { class: "muted", key: "none" },
        state.slots === null ? strings.loadingTimes : strings.pickDay,
      ),
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
        press: () => void flow.choosing.openWaitlist(),
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
          h("h4", { class: "room-name", id: `room-${room.id}` }, nameOf(view, room)),
          roomFacts(view, room),
          h("span", { class: "room-price" }, ...roomPrice(view, room)),
        ),
      ),
      about(view, room),
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
  const { format, flow, strings, state } = view;
  const shared = flow.roomOf(slot.room_id)?.mode === "shared";
  const night = nightOf(view, slot.starts_at, slot.timezone);
  const taken = slot.seats_available < state.partySize;
  const waits = taken && state.calendar?.waitlist === true;
  return h(
    "button",
    {
      type: "button",
      class: "slot",
      "data-taken": taken,
      "aria-disabled": taken && !waits && "true",
      onclick: !taken
        ? () => void flow.choosing.chooseSlot(slot)
        : waits
        ? () => void flow.choosing.openWaitlist(slot)
        : null,
    },
    h("span", { class: "slot-time" }, format.time(slot.starts_at, slot.timezone)),
    h("span", { class: "sr" }, ", "),
    night && [
      h("span", { class: "slot-night", key: "night" }, night),
      h("span", { class: "sr", key: "comma" }, ", "),
    ],
    h(
      "span",
      { class: "slot-price" },
      taken ? strings.soldOut : format.shortMoney(slot.price_cents, slot.currency),
    ),
    waits && h("span", { class: "slot-seats", key: "wait" }, strings.waitHere),
    shared && !taken &&
      h("span", { class: "slot-seats" }, strings.seatsLeft(slot.seats_available)),
  );
}
