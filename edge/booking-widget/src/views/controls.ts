/** What is typed into and ticked, with what is said about it. */
import { controlOf, type FieldProblem } from "../customer.ts";
import { type Child, h, type VNode } from "../dom.ts";
import type { MoreStrings } from "../strings_more.ts";
import { icon, type View } from "./parts.ts";

/** What is said about a control: a hint below it, and what is wrong with it. */
export interface Described {
  /** Names the control in the errors and as `field-<name>` for the focus. */
  readonly name: string;
  readonly label: Child;
  readonly hint?: Child;
}

function described(view: View, { name, hint }: Described): {
  readonly attributes: Record<string, unknown>;
  readonly below: Child;
} {
  const problem = view.state.fieldErrors[name];
  const ids = [hint && `${name}-hint`, problem && `${name}-error`].filter(Boolean).join(" ");
  return {
    attributes: {
      id: name,
      name,
      // What is announced, and where the focus goes, when it is wrong.
      "data-focus": controlOf(name),
      "aria-invalid": problem ? "true" : undefined,
      "aria-describedby": ids || undefined,
    },
    below: [
      hint && h("p", { class: "hint", id: `${name}-hint` }, hint),
      problem && errorText(view, name, problem),
    ],
  };
}

export function errorText(view: View, name: string, problem: FieldProblem): VNode {
  return h(
    "p",
    { class: "error", id: `${name}-error`, key: `${name}-error` },
    icon("alert"),
    (view.strings as Partial<MoreStrings>)[problem],
  );
}

export interface ControlOptions extends Described {
  readonly value: string;
  readonly attributes?: Record<string, unknown>;
  /** Choices make it a list. */
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
  readonly rows?: number;
  input(value: string): void;
  leave?(): void;
}

/** A labelled control to type or choose in. */
export function control(view: View, options: ControlOptions): VNode {
  const { name, label, choices, rows } = options;
  const { attributes, below } = described(view, options);
  const read = (event: Event) => options.input((event.target as HTMLInputElement).value);
  const common = {
    ...attributes,
    class: "input",
    ...options.attributes,
    value: options.value,
    onblur: options.leave ? () => options.leave?.() : null,
  };
  return h(
    "div",
    { class: "field", key: name },
    h("label", { for: name, class: "label" }, label),
    choices
      ? h(
        "select",
        { ...common, onchange: read },
        choices.map((choice) =>
          h("option", { key: choice.value, value: choice.value }, choice.label)
        ),
      )
      : rows
      ? h("textarea", { ...common, rows, oninput: read })
      : h("input", { type: "text", maxlength: 200, ...common, oninput: read }),
    below,
  );
}

export interface TickOptions extends Described {
  readonly checked: boolean;
  readonly required?: boolean;
  change(checked: boolean): void;
}

/** A box to tick, whose label may be pressed too. */
export function tick(view: View, options: TickOptions): VNode {
  const { attributes, below } = described(view, options);
  return h(
    "div",
    { class: "field", key: options.name },
    h(
      "label",
      { class: "tick" },
      h("input", {
        ...attributes,
        type: "checkbox",
        checked: options.checked,
        "aria-required": options.required ? "true" : undefined,
        onchange: (event: Event) => options.change((event.target as HTMLInputElement).checked),
      }),
      h("span", {}, options.label),
    ),
    below,
  );
}

/** A note on what may be left empty. */
export function optional(view: View, label: string): string {
  return `${label} (${view.strings.optional})`;
}
