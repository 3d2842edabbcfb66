/** The waiver: its text, who signs, for whom, and the signature. */
import { type Child, h, type VNode } from "../dom.ts";
import { MOST_MINORS } from "../signing.ts";
import type { Signing } from "../state.ts";
import { agreesTo } from "../wishes.ts";
import { control, errorText, tick } from "./controls.ts";
import { button, header, heading, icon, linkRow, type MoreView, notice } from "./parts.ts";
import { otherWords } from "./person.ts";

export function waiver(view: MoreView): Child {
  const { state, strings, format, flow } = view;
  const { signing } = state;
  if (!signing) return null;
  const { room_name, starts_at, timezone, organization } = signing.waiver;
  return [
    header(view, null, strings.waiverSign),
    h(
      "p",
      { class: "lead", key: "what" },
      [
        organization.name,
        room_name,
        `${format.date(starts_at, timezone)}, ${format.time(starts_at, timezone)}`,
      ].join(" · "),
    ),
    notice(view),
    h(
      "div",
      { class: "waiver-text", tabindex: 0, role: "region", "aria-label": strings.waiver },
      signing.waiver.text,
    ),
    h(
      "form",
      {
        class: "form narrow",
        novalidate: true,
        onsubmit: (event: Event) => event.preventDefault(),
      },
      control(view, {
        name: "waiver_name",
        label: strings.waiverName,
        value: signing.name,
        attributes: { autocomplete: "name", required: true },
        input: (name) => flow.more?.waivers.change({ name }),
      }),
      minors(view, signing),
      tick(view, {
        name: "agreed",
        label: strings.waiverAgree,
        hint: otherWords(view, signing.agreed, signing.waiver.text),
        checked: agreesTo(signing.agreed, signing.waiver.text),
        required: true,
        change: (checked) =>
          flow.more?.waivers.change({ agreed: checked ? signing.waiver.text : "" }),
      }),
      signature(view, signing),
      button({
        kind: "primary",
        submit: true,
        press: () => void flow.more?.waivers.sign(write),
        busy: state.busy === "sign",
        label: state.busy === "sign" ? strings.joining : strings.sign,
      }),
      button({ kind: "link", label: strings.back, press: () => void flow.trail.back() }),
    ),
  ];
}

function minors(view: MoreView, signing: Signing): VNode {
  const { strings, flow } = view;
  return h(
    "fieldset",
    { class: "minors", key: "minors" },
    h("legend", { class: "label" }, strings.minors),
    signing.minors.map((minor, index) =>
      h(
        "div",
        { class: "minor", key: `minor-${index}` },
        control(view, {
          name: `minor-${index}`,
          label: strings.minor(index + 1),
          value: minor.name,
          input: (name) => flow.more?.waivers.changeMinor(index, { name }),
        }),
        control(view, {
          name: `year-${index}`,
          label: strings.birthYear,
          value: minor.year,
          attributes: { inputmode: "numeric", maxlength: 4 },
          input: (year) => flow.more?.waivers.changeMinor(index, { year: year.trim() }),
        }),
        h(
          "button",
          {
            type: "button",
            class: "round",
            "aria-label": strings.removeMinor(index + 1),
            onclick: () => flow.more?.waivers.removeMinor(index),
          },
          icon("cross"),
        ),
      )
    ),
    signing.minors.length < MOST_MINORS && button({
      kind: "plain",
      label: [icon("plus"), strings.addMinor],
      focus: "add-minor",
      press: () => flow.more?.waivers.addMinor(),
    }),
    signing.minors.length > 0 && tick(view, {
      name: "outside",
      label: strings.onlyMinors,
      checked: signing.outside,
      change: (outside) => flow.more?.waivers.change({ outside }),
    }),
  );
}

/** Drawn by whoever can; typed by whoever uses a keyboard or rather does. */
function signature(view: MoreView, signing: Signing): VNode {
  const { strings, state, flow } = view;
  const problem = state.fieldErrors.signature;
  const manner = (value: Signing["manner"], label: string) =>
    h(
      "label",
      { class: "choice", key: value, "data-chosen": signing.manner === value },
      h("input", {
        type: "radio",
        name: "manner",
        class: "sr",
        value,
        checked: signing.manner === value,
        onchange: () => flow.more?.waivers.change({ manner: value }),
      }),
      label,
    );
  return h(
    "fieldset",
    { class: "signature", key: "signature" },
    h("legend", { class: "label" }, strings.signature),
    h("div", { class: "choices" }, manner("draw", strings.drawIt), manner("type", strings.typeIt)),
    signing.manner === "draw"
      ? [
        h("canvas", {
          class: "pad",
          key: "pad",
          role: "img",
          tabindex: -1,
          width: 600,
          height: 200,
          "aria-label": strings.drawHint,
          "aria-describedby": problem ? "signature-error" : undefined,
          "data-focus": "field-signature",
          onpointerdown: (event: PointerEvent) =>
            draw(event, (drawing) => flow.more?.waivers.change({ drawing })),
        }),
        h("p", { class: "hint", key: "hint" }, strings.drawHint),
        h(
          "div",
          { class: "actions", key: "clear" },
          button({
            kind: "plain",
            label: strings.clearSignature,
            press: () => {
              view.clear(".pad");
              flow.more?.waivers.change({ drawing: "" });
            },
          }),
        ),
      ]
      : [
        h("p", { class: "typed", key: "typed", "aria-hidden": "true" }, signing.name || "…"),
        h("p", { class: "hint", key: "hint" }, strings.typeHint),
      ],
    problem && errorText(view, "signature", problem),
  );
}

// Always dark on light, so that it can be read on paper.
const INK = "#111";

/** A typed name as a drawing. */
function write(name: string): string {
  const pad = document.createElement("canvas");
  pad.width = 600;
  pad.height = 200;
  const pen = pad.getContext("2d");
  if (!pen) return "";
  pen.fillStyle = INK;
  pen.font = "italic 48px cursive";
  pen.textBaseline = "middle";
  pen.fillText(name, 20, 100, 560);
  return pad.toDataURL("image/png");
}

/** Follow one stroke of the pen, and tell what the drawing is by then. */
function draw(event: PointerEvent, drawn: (drawing: string) => void): void {
  const pad = event.target as HTMLCanvasElement;
  const pen = pad.getContext("2d");
  if (!pen || event.button !== 0) return;
  event.preventDefault();
  pad.setPointerCapture(event.pointerId);
  const at = ({ clientX, clientY }: PointerEvent) => {
    const box = pad.getBoundingClientRect();
    return [
      (clientX - box.left) * pad.width / box.width,
      (clientY - box.top) * pad.height / box.height,
    ] as const;
  };
  pen.strokeStyle = INK;
  pen.lineWidth = 3;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(...at(event));
  pen.lineTo(...at(event));
  pen.stroke();
  pad.onpointermove = (move) => {
    pen.lineTo(...at(move));
    pen.stroke();
  };
  pad.onpointerup = pad.onpointercancel = () => {
    pad.onpointermove = pad.onpointerup = pad.onpointercancel = null;
    drawn(pad.toDataURL("image/png"));
  };
}

export function signed(view: MoreView): Child {
  const { strings, state, flow } = view;
  const token = state.signing?.token;
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge", "data-tone": "good" }, icon("check")),
    heading(strings.signedTitle),
    h("p", { class: "lead" }, strings.signedText),
    token && linkRow(view, flow.world.linkTo("waiver", "sign", token), strings.waiverShare),
    h(
      "div",
      { class: "actions" },
      button({
        kind: "primary",
        label: state.booking ? strings.bookingTitle : strings.done,
        press: () => void flow.more?.waivers.leave(),
      }),
      token && button({
        kind: "plain",
        busy: state.busy === "waiver",
        label: strings.signAnother,
        press: () => void flow.more?.waivers.open(token).catch(() => {}),
      }),
    ),
  );
}
