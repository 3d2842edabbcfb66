/** The waitlist: for whom, for which days, and that it is noted. */
import type { Slot } from "../../../_shared/booking.ts";
import { type Child, h } from "../dom.ts";
import { players } from "./choose.ts";
import { control, errorText } from "./controls.ts";
import { ticket } from "./costs.ts";
import { back, button, header, heading, icon, type MoreView, nameOf, notice } from "./parts.ts";
import { consents, contactFields, questions } from "./person.ts";

export function waitlist(view: MoreView): Child {
  const { state, strings, flow } = view;
  const { waiting } = state;
  if (!waiting) return null;
  const { first, last } = flow.range;
  const day = (name: "from" | "to", label: string) =>
    control(view, {
      name,
      label,
      value: waiting[name],
      attributes: {
        type: "date",
        min: first,
        max: last,
        required: true,
        "data-focus": name === "from" ? "field-dates" : "field-to",
        "aria-invalid": state.fieldErrors.dates ? "true" : undefined,
        "aria-describedby": state.fieldErrors.dates ? "dates-error" : undefined,
      },
      input: (value) => flow.more?.waitlist.change({ [name]: value }),
    });
  const rooms = state.calendar?.rooms ?? [];
  return [
    back(view, () => void flow.trail.back()),
    header(view, null, strings.waitTitle),
    h("p", { class: "lead", key: "lead" }, strings.waitLead),
    notice(view),
    h(
      "form",
      {
        class: "form narrow",
        novalidate: true,
        onsubmit: (event: Event) => event.preventDefault(),
      },
      waiting.slot ? oneTime(view, waiting.slot) : rooms.length > 1 && control(view, {
        name: "wait-room",
        label: strings.room,
        value: waiting.roomId ?? "",
        choices: [
          { value: "", label: strings.anyRoom },
          ...rooms.map((room) => ({ value: room.id, label: nameOf(view, room) })),
        ],
        input: (value) => flow.more?.waitlist.change({ roomId: value || null }),
      }),
      players(view),
      !waiting.slot && h(
        "div",
        { class: "pair", key: "days" },
        day("from", strings.waitFrom),
        day("to", strings.waitTo),
      ),
      state.fieldErrors.dates && errorText(view, "dates", state.fieldErrors.dates),
      contactFields(view),
      questions(view),
      consents(view),
      button({
        kind: "primary",
        submit: true,
        press: () => void flow.more?.waitlist.join(),
        busy: state.busy === "join",
        label: state.busy === "join" ? strings.joining : strings.waitJoin,
      }),
    ),
  ];
}

/** The sold-out time that is waited for. */
function oneTime(view: MoreView, slot: Slot): Child {
  return h(
    "div",
    { class: "summary", key: "slot" },
    ticket(view, {
      room: nameOf(view, view.flow.roomOf(slot.room_id)),
      startsAt: slot.starts_at,
      endsAt: slot.ends_at,
      timezone: slot.timezone,
      partySize: view.state.partySize,
    }),
  );
}

/** What is waited for, as the mail says it: a room, days or one time, a party. */
function waitedFor(view: MoreView): Child {
  const { state, strings, format, flow } = view;
  const { waiting, partySize, calendar } = state;
  if (!waiting) return null;
  const room = flow.roomOf(waiting.roomId);
  const startsAt = waiting.slot?.starts_at ?? waiting.startsAt;
  const zone = waiting.slot?.timezone ?? room?.timezone ?? calendar?.timezone;
  const days = [...new Set([waiting.from, waiting.to])].map(format.day).join(" – ");
  const fact = (name: "calendar" | "clock" | "people", text: string) =>
    h("p", { class: "fact", key: name }, icon(name), text);
  return h(
    "div",
    { class: "summary", key: "waited" },
    h(
      "div",
      { class: "ticket" },
      h("p", { class: "ticket-room" }, nameOf(view, room) || (waiting.roomName ?? strings.anyRoom)),
      fact("calendar", days),
      startsAt && zone && fact("clock", format.time(startsAt, zone)),
      fact("people", strings.playerCount(partySize)),
    ),
  );
}

export function waiting(view: MoreView): Child {
  const { state, strings, format, flow } = view;
  const { waiting } = state;
  if (!waiting) return null;
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge", "data-tone": "good" }, icon("check")),
    heading(strings.waitingTitle),
    h(
      "p",
      { class: "lead" },
      strings.waitingText(
        state.form.email.trim(),
        format.day(waiting.from),
        format.day(waiting.to),
      ),
    ),
    waitedFor(view),
    h(
      "div",
      { class: "actions" },
      button({
        kind: "plain",
        label: strings.backToTimes,
        press: () => flow.choosing.backToChoose(),
      }),
      waiting.token && button({
        kind: "link",
        label: strings.leaveNow,
        press: () => flow.more?.waitlist.askToLeave(),
      }),
    ),
  );
}

/** Where the link in the waitlist's mail leads. */
export function leave(view: MoreView): Child {
  const { state, strings, flow } = view;
  const left = state.step === "left";
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge" }, icon(left ? "check" : "clock")),
    heading(left ? strings.leftTitle : strings.leaveTitle),
    notice(view),
    waitedFor(view),
    h(
      "div",
      { class: "actions" },
      !left && button({
        kind: "primary",
        busy: state.busy === "join",
        label: strings.leaveYes,
        press: () =>
          void flow.more?.waitlist.leave(state.waiting?.token ?? flow.world.entry.leave ?? ""),
      }),
      button({
        kind: "plain",
        label: strings.backToTimes,
        press: () => void flow.bookAnother(),
      }),
    ),
  );
}
