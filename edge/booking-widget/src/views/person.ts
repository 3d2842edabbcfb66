/** Who books or waits, what the venue asks of them, and what they agree to. */
import type { CustomField } from "../../../_shared/booking.ts";
import { type Field, fieldName } from "../customer.ts";
import { type Child, h, type VNode } from "../dom.ts";
import type { MoreStrings } from "../strings_more.ts";
import { agreesTo, termsText } from "../wishes.ts";
import { control, optional, tick } from "./controls.ts";
import type { View } from "./parts.ts";

/** Name, e-mail and phone: whoever books or waits is asked for them. */
export function contactFields(view: View): Child {
  const { strings } = view;
  return [
    field(view, "full_name", strings.name, { autocomplete: "name", required: true }),
    emailField(view, strings.emailHint),
    field(view, "phone", optional(view, strings.phone), {
      type: "tel",
      autocomplete: "tel",
      inputmode: "tel",
      maxlength: 24,
    }),
  ];
}

export function emailField(view: View, hint?: string): VNode {
  const attributes = { type: "email", inputmode: "email", required: true };
  return field(view, "email", view.strings.email, attributes, hint);
}

export function field(
  view: View,
  name: Field,
  label: string,
  attributes: Record<string, unknown>,
  hint?: string,
): VNode {
  const { details } = view.flow;
  return control(view, {
    name,
    label,
    ...(hint ? { hint } : {}),
    value: view.state.form[name],
    attributes: { autocomplete: name, ...attributes },
    input: (value) => details.type(name, value),
    leave: () => details.leaveField(name),
  });
}

const inputTypes: Record<string, Record<string, unknown>> = {
  text: { maxlength: 1000 },
  textarea: { maxlength: 2000 },
  email: { type: "email", inputmode: "email" },
  phone: { type: "tel", inputmode: "tel", maxlength: 24 },
  number: { inputmode: "decimal", maxlength: 24 },
  date: { type: "date" },
  select: {},
};

export function questions(view: View): Child {
  return view.flow.questions.map((question) => answerControl(view, question));
}

/** A question of the venue's, as the kind of control that its answer wants. */
function answerControl(view: View, question: CustomField): VNode {
  const { state, flow, strings } = view;
  const { key, kind, required } = question;
  const label = view.text(question.label) || key;
  const hint = view.text(question.help);
  const value = state.answers[key];
  const common = { name: fieldName(key), ...(hint ? { hint } : {}) };
  if (kind === "checkbox") {
    return tick(view, {
      ...common,
      label: required ? label : optional(view, label),
      checked: value === true,
      required,
      change: (checked) => flow.details.answer(key, checked),
    });
  }
  return control(view, {
    ...common,
    label: required ? label : optional(view, label),
    value: typeof value === "string" ? value : "",
    attributes: {
      ...inputTypes[kind],
      placeholder: view.text(question.placeholder) || undefined,
      minlength: question.minimum_length ?? undefined,
      ...(question.maximum_length ? { maxlength: question.maximum_length } : {}),
      ...(required ? { required: true } : {}),
    },
    ...(kind === "textarea" ? { rows: 3 } : {}),
    ...(kind === "select"
      ? {
        choices: [
          { value: "", label: strings.choose },
          ...(question.options ?? []).map((option) => ({
            value: option.value,
            label: view.text(option.label) || option.value,
          })),
        ],
      }
      : {}),
    input: (text) => flow.details.answer(key, text),
    leave: () => flow.details.leaveAnswer(key),
  });
}

/** Says it where others were ticked than these words: those of another language, or of before. */
export function otherWords(view: View, ticked: string, words: string): Child {
  const { termsOther }: Partial<MoreStrings> = view.strings;
  return ticked && ticked !== words && h("b", { role: "alert" }, termsOther);
}

/** What must be agreed to, and what may be. `offers`: whether somebody becomes a customer by it. */
export function consents(view: View, offers = true): Child {
  const { strings, state, flow } = view;
  const venue = state.calendar?.organization.name ?? "";
  const terms = termsText(state.calendar, flow.world.locale());
  const offer = strings.marketingLabel(venue);
  return h(
    "div",
    { class: "consents", key: "consents" },
    terms && [
      h(
        "details",
        { class: "terms", key: "read" },
        h("summary", {}, strings.termsRead),
        h("div", {
          class: "terms-text",
          tabindex: 0,
          role: "region",
          "aria-label": strings.termsRead,
        }, terms),
      ),
      tick(view, {
        name: "terms",
        label: strings.termsLabel(venue),
        hint: otherWords(view, state.terms, terms),
        checked: agreesTo(state.terms, terms),
        required: true,
        change: (checked) => flow.details.agree("terms", checked ? terms : ""),
      }),
    ],
    offers && tick(view, {
      name: "marketing",
      label: optional(view, offer),
      checked: agreesTo(state.marketing, offer),
      change: (checked) => flow.details.agree("marketing", checked ? offer : ""),
    }),
  );
}
