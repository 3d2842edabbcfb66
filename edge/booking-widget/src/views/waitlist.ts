/** The waitlist: for whom, for which days, and that it is noted. */
import { type Child, h } from "../dom.ts";
import { players } from "./choose.ts";
import { consents, contactFields, questions } from "./details.ts";
import {
  back,
  button,
  control,
  errorText,
  header,
  heading,
  icon,
  notice,
  type View,
} from "./parts.ts";

export function waitlist(view: View): Child {
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
      input: (value) => flow.waitlist.change({ [name]: value }),
    });
  const rooms = state.calendar?.rooms ?? [];
  return [
    back(view, () => flow.backToChoose()),
    header(view, null, strings.waitTitle),
    h("p", { class: "lead", key: "lead" }, strings.waitLead),
    notice(view),
    h(
      "form",
      {
        class: "form narrow",
        novalidate: true,
        onsubmit: (event: Event) => {
          event.preventDefault();
          void flow.waitlist.join();
        },
      },
      rooms.length > 1 && control(view, {
        name: "wait-room",
        label: strings.room,
        value: waiting.roomId ?? "",
        choices: [
          { value: "", label: strings.anyRoom },
          ...rooms.map((room) => ({ value: room.id, label: room.name })),
        ],
        input: (value) => flow.waitlist.change({ roomId: value || null }),
      }),
      players(view),
      h(
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
        busy: state.busy === "join",
        label: state.busy === "join" ? strings.joining : strings.waitJoin,
      }),
    ),
  ];
}

export function waiting(view: View): Child {
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
    button({ kind: "plain", label: strings.backToTimes, press: () => flow.backToChoose() }),
  );
}

/** Where the link in the waitlist's mail leads. */
export function leave(view: View): Child {
  const { state, strings, flow } = view;
  const left = state.step === "left";
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge" }, icon(left ? "check" : "clock")),
    heading(left ? strings.leftTitle : strings.leaveTitle),
    notice(view),
    h(
      "div",
      { class: "actions" },
      !left && button({
        kind: "primary",
        busy: state.busy === "join",
        label: strings.leaveYes,
        press: () => void flow.waitlist.leave(flow.world.entry.leave ?? ""),
      }),
      button({
        kind: "plain",
        label: strings.backToTimes,
        press: () => void flow.bookAnother(),
      }),
    ),
  );
}
