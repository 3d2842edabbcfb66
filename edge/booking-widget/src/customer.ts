/** What a visitor fills in, and what is wrong with it. The database decides in the end. */
import type { CustomField, Texts } from "../../_shared/booking.ts";
import type { Answer } from "./api.ts";
import type { Language } from "./language.ts";

export interface CustomerForm {
  readonly full_name: string;
  readonly email: string;
  readonly phone: string;
}
export type Field = keyof CustomerForm;

/** Problems by field: of the customer, of the venue's questions (`field-<key>`), and `terms`. */
export type FieldErrors = Readonly<Record<string, FieldProblem>>;
/** Each is also the name of its text in the strings. */
export type FieldProblem =
  | "requiredName"
  | "requiredEmail"
  | "invalidEmail"
  | "invalidPhone"
  | "invalidName"
  | "invalidField"
  | "invalidNumber"
  | "requiredField"
  | "requiredChoice"
  | "requiredTick"
  | "requiredTerms"
  | "requiredSignature"
  | "invalidSignature"
  | "invalidYear"
  | "invalidDates"
  | "invalidAmount"
  | "invalidMessage"
  | "invalidDelivery";

/** The answers to the venue's questions as they stand in the form. */
export type Answers = Readonly<Record<string, string | boolean>>;

export const fields: readonly Field[] = ["full_name", "email", "phone"];
export const emptyForm: CustomerForm = { full_name: "", email: "", phone: "" };

// Digits of any script: the database keeps them as 0 to 9.
const PHONE = /^\+?[\p{Nd}\s().-]{6,24}$/u;
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@.]{2,}$/;

export function validate(form: CustomerForm): FieldErrors {
  return collect(fields.map((field) => [field, validateField(field, form[field])]));
}

export function validateField(field: Field, value: string): FieldProblem | null {
  const text = value.trim();
  switch (field) {
    case "full_name":
      return text === "" ? "requiredName" : null;
    case "email":
      if (text === "") return "requiredEmail";
      return EMAIL.test(text) ? null : "invalidEmail";
    case "phone":
      return text === "" || PHONE.test(text) ? null : "invalidPhone";
  }
}

/** The name under which the error of a venue's question is kept. */
export const fieldName = (key: string) => `field-${key}`;

/** The control of an error, by its `data-focus`. */
export const controlOf = (name: string) => name.startsWith("field-") ? name : `field-${name}`;

export function validateAnswers(questions: readonly CustomField[], answers: Answers): FieldErrors {
  return collect(
    questions.map((question) => [
      fieldName(question.key),
      validateAnswer(question, answers[question.key]),
    ]),
  );
}

export function validateAnswer(
  { kind, required, pattern, options, minimum_length, maximum_length }: CustomField,
  value: string | boolean | undefined,
): FieldProblem | null {
  if (kind === "checkbox") return required && value !== true ? "requiredTick" : null;
  const text = String(value ?? "").trim();
  if (text === "") {
    return !required ? null : kind === "select" ? "requiredChoice" : "requiredField";
  }
  if (kind === "email" && !EMAIL.test(text)) return "invalidEmail";
  if (kind === "phone" && !PHONE.test(text)) return "invalidPhone";
  // By code points, as the database counts.
  const { length } = [...text];
  if (length < (minimum_length ?? 0) || length > (maximum_length ?? length)) return "invalidField";
  if (kind === "number" && toNumber(text) === null) return "invalidNumber";
  if (kind === "select" && !options?.some((option) => option.value === text)) {
    return "requiredChoice";
  }
  return pattern && !matches(pattern, text) ? "invalidField" : null;
}

/** The database's expressions are another dialect: one that this one cannot read refuses nothing. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, "u").test(text);
  } catch {
    return true;
  }
}

function toNumber(text: string): number | null {
  return /^[+-]?\d+([.,]\d+)?$/.test(text) ? Number(text.replace(",", ".")) : null;
}

/** The answers as the database takes them; what was left empty is left out. */
export function toAnswers(
  questions: readonly CustomField[],
  answers: Answers,
): Record<string, Answer> {
  const sent: Record<string, Answer> = {};
  for (const { key, kind } of questions) {
    const value = answers[key];
    if (typeof value === "boolean") {
      if (value) sent[key] = true;
    } else if (value?.trim()) {
      const text = value.trim();
      sent[key] = kind === "number" ? toNumber(text) ?? text : text;
    }
  }
  return sent;
}

/** What the database refused in a field, when it names one that the form has. */
export function refusedField(name: unknown): { field: Field; problem: FieldProblem } | null {
  switch (name) {
    case "full_name":
      return { field: "full_name", problem: "invalidName" };
    case "email":
      return { field: "email", problem: "invalidEmail" };
    case "phone":
      return { field: "phone", problem: "invalidPhone" };
    default:
      return null;
  }
}

/** The database's rule that an answer broke, as the form says it. */
export function refusedAnswer({ kind }: CustomField, rule: unknown): FieldProblem {
  if (rule === "required") {
    return kind === "checkbox"
      ? "requiredTick"
      : kind === "select"
      ? "requiredChoice"
      : "requiredField";
  }
  if (kind === "select") return "requiredChoice";
  if (kind === "email") return "invalidEmail";
  if (kind === "phone") return "invalidPhone";
  return kind === "number" && rule !== "pattern" ? "invalidNumber" : "invalidField";
}

/** A text in the visitor's language, or in the venue's, or in any. */
export function textIn(
  texts: Texts | null | undefined,
  language: Language,
  venues?: string,
): string {
  if (!texts) return "";
  return texts[language] || (venues && texts[venues]) || Object.values(texts).find(Boolean) || "";
}

function collect(problems: readonly (readonly [string, FieldProblem | null])[]): FieldErrors {
  const errors: Record<string, FieldProblem> = {};
  for (const [name, problem] of problems) if (problem) errors[name] = problem;
  return errors;
}
