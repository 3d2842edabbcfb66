/** Where a function finds the database. The publishable key is public; no function holds more. */
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
  const supabaseUrl = get("SUPABASE_URL")?.replace(/\/+$/, "");
  const publishableKey = firstKey(get("SUPABASE_PUBLISHABLE_KEYS")) ??
    get("SUPABASE_PUBLISHABLE_KEY") ?? get("SUPABASE_ANON_KEY");
  if (!supabaseUrl || !publishableKey) {
    throw new Error("SUPABASE_URL and a publishable key must be set");
  }
  return { supabaseUrl, publishableKey };
}

function firstKey(dictionary: string | undefined): string | undefined {
  if (!dictionary) return undefined;
  const keys = JSON.parse(dictionary) as Record<string, string>;
  return keys.default ?? Object.values(keys)[0];
}
