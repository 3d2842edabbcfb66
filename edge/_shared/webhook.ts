/** Standard Webhooks (https://www.standardwebhooks.com): who sent a request, and when. */

/** How far the sender's clock may be from ours, in seconds. */
export const TOLERANCE_SECONDS = 300;

/**
 * The secrets of a setting: one or several, while one takes another's place, separated by `|` or by
 * spaces, each `v1,whsec_<base64>` or `whsec_<base64>`.
 *
 * @throws {Error} when there is none, or one is not base64: a deployment mistake.
 */
export function readSecrets(setting: string | undefined): Uint8Array<ArrayBuffer>[] {
  const found = (setting ?? "").split(/[|\s]+/).filter((one) => one !== "");
  if (found.length === 0) throw new Error("no secret of the webhook is set");
  return found.map((one) => {
    const bytes = fromBase64(one.replace(/^v1,/, "").replace(/^whsec_/, ""));
    if (bytes === null || bytes.length < 24) {
      throw new Error("a secret of the webhook is not whole");
    }
    return bytes;
  });
}

/**
 * The id of a request if it is signed with one of the secrets and of now, else null.
 *
 * @param now milliseconds since 1970.
 */
export async function verifiedId(
  headers: Headers,
  body: string,
  secrets: readonly Uint8Array<ArrayBuffer>[],
  now: number,
): Promise<string | null> {
  const id = headers.get("webhook-id") ?? "";
  const timestamp = headers.get("webhook-timestamp") ?? "";
  if (!/^[!-~]{1,200}$/.test(id) || !/^[0-9]{1,12}$/.test(timestamp)) return null;
  if (Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return null;
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const given = (headers.get("webhook-signature") ?? "").split(" ").slice(0, 10);
  for (const one of given) {
    const [version, text] = one.split(",");
    const signature = version === "v1" && text ? fromBase64(text) : null;
    if (signature === null) continue;
    for (const secret of secrets) {
      const key = await crypto.subtle.importKey(
        "raw",
        secret,
        { name: "HMAC", hash: "SHA-256" },
        false,
        ["verify"],
      );
      // Takes as long whatever of it is wrong.
      if (await crypto.subtle.verify("HMAC", key, signature, signed)) return id;
    }
  }
  return null;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}
