/** What a client may conclude from an answer that is no success. */

/**
 * Whether nobody knows if the request was carried out: repeat it, with the same idempotency key
 * where it has one, and do not tell anybody that it failed.
 *
 * So it is without any answer (status 0), with 502, 503 and 504, and when PostgREST answers 400
 * with an empty code: its connection to the database ended while the request ran (PostgREST 12).
 */
export function outcomeIsUnknown(status: number, answer?: unknown): boolean {
  if (status === 0 || status === 502 || status === 503 || status === 504) return true;
  return status === 400 && typeof answer === "object" && answer !== null &&
    (answer as { code?: unknown }).code === "" &&
    !(answer as { message?: unknown }).message;
}
