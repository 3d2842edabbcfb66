/** Where a function finds the database. The publishable key is public; only auth-email holds more. */
export interface Environment {
  readonly supabaseUrl: string;
  readonly publishableKey: string;
}

/**
 * Read the environment a function runs in.
 *
 * Hosted projects hand over `SUPABASE_PUBLISHABLE_KEYS`, a JSON dictionary by name; the local stack
 * one key; older projects only `SUPABASE_ANON_KEY`.
 *
 * @throws {Error} when the address or the key is missing: a deployment mistake, not a request's.
 */
export function readEnvironment(
  get: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Environment {
  const supabaseUrl = addressOf(get);
  const publishableKey = firstKey(get("SUPABASE_PUBLISHABLE_KEYS")) ??
    get("SUPABASE_PUBLISHABLE_KEY") ?? get("SUPABASE_ANON_KEY");
  if (!supabaseUrl || !publishableKey) {
    throw new Error("SUPABASE_URL and a publishable key must be set");
  }
  return { supabaseUrl, publishableKey };
}

/**
 * The address of the project.
 *
 * @throws {Error} when it is missing: a deployment mistake.
 */
export function readSupabaseUrl(
  get: (name: string) => string | undefined = (name) => Deno.env.get(name),
): string {
  const address = addressOf(get);
  if (!address) throw new Error("SUPABASE_URL must be set");
  return address;
}

/**
 * The key that may call the functions of schema `service`. Hosted projects hand over
 * `SUPABASE_SECRET_KEYS`, a JSON dictionary by name; older ones only `SUPABASE_SERVICE_ROLE_KEY`.
 *
 * @throws {Error} when it is missing: a deployment mistake.
 */
export function readSecretKey(
  get: (name: string) => string | undefined = (name) => Deno.env.get(name),
): string {
  const key = firstKey(get("SUPABASE_SECRET_KEYS")) ?? get("SUPABASE_SECRET_KEY") ??
    get("SUPABASE_SERVICE_ROLE_KEY");
  if (!key) throw new Error("a secret key must be set");
  return key;
}

const addressOf = (get: (name: string) => string | undefined) =>
  get("SUPABASE_URL")?.replace(/\/+$/, "");

function firstKey(dictionary: string | undefined): string | undefined {
  if (!dictionary) return undefined;
  const keys = JSON.parse(dictionary) as Record<string, string>;
  return keys.default ?? Object.values(keys)[0];
}
