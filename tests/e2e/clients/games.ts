/**
 * A game run by its game master with supabase-js and the generated types, nothing cast.
 *
 *   deno run --check games.ts < arguments.json > answer.json
 *
 * It is a program of its own: that it compiles is a part of what it shows.
 */
import { createClient } from "@supabase/supabase-js";
import type { Database } from "../../../edge/_shared/database.types.ts";

const url = Deno.env.get("SUPABASE_URL") ?? "";
const key = Deno.env.get("SUPABASE_PUBLISHABLE_KEY") ?? "";

function connect(organizationId?: string) {
  return createClient<Database>(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: {
      headers: organizationId === undefined ? {} : { "x-organization-id": organizationId },
    },
  });
}

/** The data of an answer; a refusal ends the program. */
function known<T>(answer: { data: T; error: { code: string; message: string } | null }) {
  if (answer.error !== null) throw new Error(`${answer.error.code}: ${answer.error.message}`);
  if (answer.data === null) throw new Error("no data");
  return answer.data;
}

interface Given {
  email: string;
  password: string;
  organization_id: string;
  session_id: string;
  reference: string;
  manage_token: string;
  calendar: string;
  item_id: string;
}

const given: Given = JSON.parse(await new Response(Deno.stdin.readable).text());
const { email, password, organization_id, session_id, reference, manage_token, calendar, item_id } =
  given;

const master = connect(organization_id);
const { error } = await master.auth.signInWithPassword({ email, password });
if (error) throw error;
const game = { organization_id, session_id };

const refused = await master.rpc("start_game", game);
const checklist = known(await master.rpc("tick_checklist_item", { ...game, item_id }));
const open = checklist.entries.filter((entry) => entry.stops_start).map((entry) => entry.title);
const started = known(await master.rpc("start_game", game));
known(await master.rpc("pause_game", game));
known(await master.rpc("add_hint", { ...game, idempotency_key: "first", words: "Look up" }));
const seen = known(await master.rpc("get_game_clock", game));
known(await master.rpc("resume_game", game));
const ended = known(
  await master.rpc("finish_game", { ...game, outcome: "escaped", team_name: "Los Candados" }),
);
const results = known(
  await master.from("game_results").select("team_name,outcome,hints,bookings(reference,status)"),
);

const visitor = connect();
const link = { reference, manage_token };
const agreed = known(await visitor.rpc("publish_game_result", { ...link, is_public: true }));
const shown = known(await visitor.rpc("get_leaderboard", { slug: calendar }));
known(await visitor.rpc("publish_game_result", { ...link, is_public: false }));
const withdrawn = known(await visitor.rpc("get_leaderboard", { slug: calendar }));

console.log(JSON.stringify({
  refused: refused.error?.message,
  open,
  states: [started.state, seen.state, ended.state],
  hints: seen.hints,
  // Every screen counts on from the database's clock.
  left: Date.parse(seen.server_time) + seen.remaining_ms > Date.parse(seen.started_at ?? ""),
  escaped_in: ended.results[0]?.escape_seconds,
  results,
  agreed: agreed.is_public,
  ranks: shown.entries.map((entry) => [entry.rank, entry.team_name, entry.percentile_bp]),
  withdrawn: withdrawn.entries.length,
}));
