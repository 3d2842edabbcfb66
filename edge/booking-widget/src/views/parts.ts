/** What the views share: headings, notices, buttons, icons. */
import type { Room, RoomImage, Texts } from "../../../_shared/booking.ts";
import { addDays, localDate, localHour } from "../dates.ts";
import { type Child, h, type VNode } from "../dom.ts";
import type { Flow } from "../flow.ts";
import type { Format } from "../format.ts";
import type { Language } from "../language.ts";
import type { State } from "../state.ts";
import type { Strings } from "../strings.ts";
import type { MoreStrings } from "../strings_more.ts";

export interface View {
  readonly flow: Flow;
  readonly state: State;
  readonly language: Language;
  readonly strings: Strings;
  readonly format: Format;
  /** The visitor's own zone, to say when the venue's is another; null where nobody knows it. */
  readonly visitorZone: string | null;
  /** A text of the venue's, in the visitor's language. */
  text(texts: Texts | null | undefined): string;
  imageUrl(image: RoomImage): string;
  /** Bring a part into sight once it is rendered: on a phone it may be below the edge. */
  reveal(selector: string): void;
  /** Wipe a canvas. */
  clear(selector: string): void;
}

/** What a room is called in the visitor's language. */
export function nameOf({ language }: View, room: Room | null): string {
  return room?.names?.[language] || room?.name || "";
}

/** What it is about. */
export function descriptionOf({ language }: View, room: Room): string {
  return room.descriptions?.[language] || room.description;
}

/** What the views of the second script say, they say in its words too. */
export interface MoreView extends View {
  readonly strings: MoreStrings;
}

export function heading(text: string): VNode {
  return h("h2", { class: "title", tabindex: -1, "data-focus": "heading" }, text);
}

export function header(view: View, step: 1 | 2 | 3 | null, title: string): VNode {
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
    step !== null && h(
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

export function notice(view: View): Child {
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
    h("p", { key: "text" }, notice.text(view.strings, view.format)),
  );
}

export interface ButtonOptions {
  readonly kind: "primary" | "plain" | "link" | "danger";
  readonly label: Child;
  readonly busy?: boolean;
  readonly disabled?: boolean;
  readonly submit?: boolean;
  readonly focus?: string;
  readonly press?: () => void;
}

export function button(options: ButtonOptions): VNode {
  return h(
    "button",
    {
      class: options.kind,
      type: options.submit ? "submit" : "button",
      // A disabled button would lose the focus of whoever has just pressed it.
      "aria-disabled": options.busy || options.disabled ? "true" : undefined,
      "data-focus": options.focus,
      onclick: pressed(options),
    },
    options.busy && h("span", { class: "spinner", "aria-hidden": "true" }),
    h("span", {}, options.label),
  );
}

/**
 * A form is sent by its button, also when the Enter key presses it: in a frame that is sandboxed
 * without forms nothing is ever submitted.
 */
function pressed(
  { press, submit, busy, disabled }: ButtonOptions,
): ((event: Event) => void) | null {
  if (submit) {
    return (event) => {
      event.preventDefault();
      if (!busy && !disabled) press?.();
    };
  }
  return press && !busy && !disabled ? () => press() : null;
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
  pen: "M4 20l1-4L16.500 4.500l3 3L8 19z",
  cross: "M7 7l10 10M17 7L7 17",
  pin:
    "M12 21c4.500-5.200 6.500-8.300 6.500-11a6.500 6.500 0 10-13 0c0 2.700 2 5.800 6.500 11zM12 12a2 2 0 100-4 2 2 0 000 4z",
  key:
    "M14.5 14a5 5 0 10-4.7-3.300L3 17.500V21h3.500v-2.500H9V16h2.300l1.2-1.200c.6.2 1.3.2 2 .2zM16 8v.1",
} as const;

export function icon(name: keyof typeof paths): VNode {
  return h(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", key: `icon-${name}` },
    h("path", { d: paths[name] }),
  );
}

export interface StepperOptions {
  readonly value: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly fewer: string;
  readonly more: string;
  /** What the number means, for those who hear it. */
  readonly spoken: string;
  change(value: number): void;
}

export function stepper(options: StepperOptions): VNode {
  const { value, minimum, maximum } = options;
  const step = (by: number, label: string, name: "minus" | "plus") => {
    const next = value + by;
    const possible = next >= minimum && next <= maximum;
    return h(
      "button",
      {
        type: "button",
        class: "round",
        key: name,
        "aria-label": label,
        "aria-disabled": possible ? undefined : "true",
        onclick: possible ? () => options.change(next) : null,
      },
      icon(name),
    );
  };
  return h(
    "div",
    { class: "stepper" },
    step(-1, options.fewer, "minus"),
    h(
      "output",
      { class: "party", "aria-live": "polite" },
      h("span", { "aria-hidden": "true" }, value),
      h("span", { class: "sr" }, options.spoken),
    ),
    step(1, options.more, "plus"),
  );
}

/** For whoever has booked, and has lost the mail with the link. */
export function linkAgain({ flow, strings }: View): VNode {
  return button({
    kind: "link",
    label: strings.linkAgain,
    press: () => void flow.withMore((more) => more.resending.open()),
  });
}

export function back(view: View, press: () => void, busy = false): VNode {
  return h(
    "p",
    { class: "crumb", key: "crumb" },
    button({ kind: "link", label: [icon("left"), view.strings.back], busy, press }),
  );
}

/** A link to pass on: to be read and marked, copied, or shared as the device does it. */
export function linkRow(view: MoreView, link: string, label: string): VNode {
  const { flow, strings, state } = view;
  const { share } = flow.world;
  return h(
    "div",
    { class: "link-row", key: "link" },
    h("input", {
      class: "input",
      type: "text",
      readonly: true,
      value: link,
      "aria-label": label,
      "data-focus": "link",
      onfocus: (event: Event) => (event.target as HTMLInputElement).select(),
    }),
    h(
      "div",
      { class: "actions" },
      button({
        kind: "plain",
        label: state.copied === link ? [icon("check"), strings.copied] : strings.copy,
        press: () => void flow.copy(link),
      }),
      share && button({
        kind: "plain",
        label: strings.share,
        // Whoever closes the device's own sheet has changed their mind.
        press: () => void share(link).catch(() => {}),
      }),
    ),
  );
}

/** The hour before which a game still belongs to the evening before. */
const MORNING = 5;

/** "Friday night", for a game that starts after midnight; else nothing. */
export function nightOf({ strings, format }: View, startsAt: string, timezone: string): string {
  const instant = Date.parse(startsAt);
  if (localHour(instant, timezone) >= MORNING) return "";
  return strings.nightOf(format.weekday(addDays(localDate(instant, timezone), -1)));
}
