/** The fields a visitor fills in, and what is wrong with them. The database decides in the end. */
import type { Strings } from "./strings.ts";

export interface CustomerForm {
  readonly full_name: string;
  readonly email: string;
  readonly phone: string;
}
export type Field = keyof CustomerForm;
export type FieldErrors = Partial<Record<Field, FieldProblem>>;
export type FieldProblem =
  | "requiredName"
  | "requiredEmail"
  | "invalidEmail"
  | "invalidPhone"
  | "invalidName"
  | "invalidField";

export const fields: readonly Field[] = ["full_name", "email", "phone"];
export const emptyForm: CustomerForm = { full_name: "", email: "", phone: "" };

export function validate(form: CustomerForm): FieldErrors {
  const errors: FieldErrors = {};
  for (const field of fields) {
    const problem = validateField(field, form[field]);
    if (problem) errors[field] = problem;
  }
  return errors;
}

export function validateField(field: Field, value: string): FieldProblem | null {
  const text = value.trim();
  switch (field) {
    case "full_name":
      return text === "" ? "requiredName" : null;
    case "email":
      if (text === "") return "requiredEmail";
      return /^[^\s@]+@[^\s@]+\.[^\s@.]{2,}$/.test(text) ? null : "invalidEmail";
    case "phone":
      return text === "" || /^\+?[\d\s().-]{6,24}$/.test(text) ? null : "invalidPhone";
  }
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

export function problemText(problem: FieldProblem, strings: Strings): string {
  return strings[problem];
}
