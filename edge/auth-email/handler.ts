import { readSecretKey, readSupabaseUrl } from "../_shared/environment.ts";
import { problem } from "../_shared/http.ts";
import { readSecrets, verifiedId } from "../_shared/webhook.ts";
import { emailsOf, type HookCall } from "./emails.ts";

/** Auth waits five seconds for its hooks. */
const TIMEOUT_MS = 4_000;
/** Characters; a call has some two thousand, and a user's metadata can make it longer. */
const LONGEST = 256 * 1024;

/** What the function works with. Its key may call the functions of schema `service`, as the worker's. */
export interface HookEnvironment {
  readonly supabaseUrl: string;
  readonly secretKey: string;
  readonly secrets: readonly Uint8Array<ArrayBuffer>[];
}

/**
 * What the function is set up with; null, which is logged: nothing whole. The local stack starts all
 * functions, and Auth does not call this one there, so that it has no secret.
 */
export function readHookEnvironment(
  get: (name: string) => string | undefined,
): HookEnvironment | null {
  try {
    return {
      supabaseUrl: readSupabaseUrl(get),
      secretKey: readSecretKey(get),
      secrets: readSecrets(get("SEND_EMAIL_HOOK_SECRETS")),
    };
  } catch (error) {
    console.error(`auth-email: ${error instanceof Error ? error.message : "not set up"}`);
    return null;
  }
}

/**
 * Auth's Send Email hook: takes what Auth wants to be sent and queues it with all other mails.
 *
 * 200 when it is queued, also when it was before; 401 for what Auth did not sign, or not just now;
 * 422 for what is no such call; 429 when the mailbox was sent enough, upon which Auth sends nothing,
 * keeps the former code and tells whoever asked; 503 when the database cannot answer, upon which
 * Auth asks again, and where no secret is set.
 * Nothing of a call is logged: it brings what opens somebody's account.
 */
export async function handle(
  request: Request,
  environment: HookEnvironment | null,
  now: () => number = Date.now,
): Promise<Response> {
  if (environment === null) {
    return problem(503, "not_set_up", "Auth does not send its mails through this function.");
  }
  if (request.method !== "POST") {
    return problem(405, "method_not_allowed", "Use POST.", { Allow: "POST" });
  }
  const body = await request.text();
  const id = body.length > LONGEST
    ? null
    : await verifiedId(request.headers, body, environment.secrets, now());
  if (id === null) return problem(401, "signature_invalid", "This is for Auth.");
  const call = readCall(body);
  const emails = call === null ? [] : emailsOf(call, environment.supabaseUrl);
  if (emails.length === 0) return problem(422, "hook_invalid", "This is no call to send a mail.");
  const status = await queue({ hook_id: id, emails }, environment);
  if (status >= 200 && status < 300) {
    return new Response("{}", { headers: { "Content-Type": "application/json" } });
  }
  if (status === 429) return tooMany();
  console.error(`auth-email: the queue answered ${status}`);
  return status === 422
    ? problem(422, "hook_invalid", "This is no call to send a mail.")
    : problem(503, "unavailable", "The mail cannot be queued now.", { "Retry-After": "2" });
}

/**
 * A refusal that Auth hands on: hooks say it in the body of a 200
 * (https://supabase.com/docs/guides/auth/auth-hooks, "Error handling").
 */
function tooMany(): Response {
  const error = { http_code: 429, message: "This address was sent enough mails; try again later." };
  return new Response(JSON.stringify({ error }), {
    headers: { "Content-Type": "application/json" },
  });
}

function readCall(body: string): HookCall | null {
  try {
    const call = JSON.parse(body);
    const whole = typeof call?.user === "object" && call.user !== null &&
      typeof call?.email_data?.email_action_type === "string";
    return whole ? call as HookCall : null;
  } catch {
    return null;
  }
}

/** The status of the answer; 0: there was none. */
async function queue(body: unknown, environment: HookEnvironment): Promise<number> {
  try {
    const answer = await fetch(`${environment.supabaseUrl}/rest/v1/rpc/queue_auth_emails`, {
      method: "POST",
      headers: {
        apikey: environment.secretKey,
        "Content-Type": "application/json",
        "Content-Profile": "service",
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    return 0;
  }
}
