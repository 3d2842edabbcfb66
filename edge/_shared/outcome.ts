/** What a client may conclude from an answer that is no success. */

/**
 * PostgreSQL's codes of what passes by itself, which PostgREST answers with 500: serialization
 * failure, deadlock, lock not available, and the classes of resources (53), of statements that were
 * given up and of servers that stop (57), and of the system's own errors (58).
 * https://www.postgresql.org/docs/17/errcodes-appendix.html
 */
const PASSING = /^(40001|40P01|55P03|5[378][0-9A-Z]{3})$/;

/**
 * Whether nobody knows if the request was carried out: repeat it, with the same idempotency key
 * where it has one, and do not tell anybody that it failed.
 *
 * So it is without any answer (status 0), with 502, 503 and 504, and with a 500 whose code says
 * that it passes; and when PostgREST answers 400 with an empty code: its connection to the database
 * ended while the request ran (PostgREST 12).
 */
export function outcomeIsUnknown(status: number, answer?: unknown): boolean {
  if (status === 0 || status === 502 || status === 503 || status === 504) return true;
  if (typeof answer !== "object" || answer === null) return false;
  const { code, message } = answer as { code?: unknown; message?: unknown };
  if (status === 500) return typeof code === "string" && PASSING.test(code);
  return status === 400 && code === "" && !message;
}
