// The difference between two databases, by @supabase/pg-delta: a line of JSON for each that is asked.
//
//   stdin   [<source url>, <desired url>]
//   stdout  { facts: string[], changes: { sql, destructive }[] } or { error: string }
//
// The library rather than its command line: the rules below can be added to its Supabase
// profile, its formatter can be used, and one start of Node, which costs more than a comparison,
// does for all.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { encodeId, diff, plan } from "@supabase/pg-delta";
import { resolveProfile, supabaseProfile } from "@supabase/pg-delta/integrations";
import { resolveView } from "@supabase/pg-delta/policy";
import { formatSqlStatements } from "@supabase/pg-delta/sql-format";

const pg = createRequire(import.meta.resolve("@supabase/pg-delta"))("pg");

const profile = {
  ...supabaseProfile,
  id: "escapemaster",
  policy: {
    id: "escapemaster",
    extends: [supabaseProfile.policy],
    filter: [
      // Supabase's profile hides all of `storage`; the policies there are ours.
      { match: { all: [{ kind: "policy" }, { schema: "storage" }] }, action: "include" },
      {
        match: { all: [{ kind: "comment" }, { target: { kind: "policy", schema: "storage" } }] },
        action: "include",
      },
      // migration.py copies these from sql/: pg-delta writes a default privilege of one
      // schema as a difference from PostgreSQL's own defaults and so would hand EXECUTE to
      // PUBLIC, and it names an extension's own comment, which only a superuser may set.
      { match: { kind: "defaultPrivilege" }, action: "exclude" },
      {
        match: { all: [{ kind: "comment" }, { target: { kind: "extension" } }] },
        action: "exclude",
      },
    ],
  },
};

async function compare(urls) {
  const pools = urls.map((connectionString) => new pg.Pool({ connectionString, max: 4 }));
  // Its database may be dropped as soon as it is read: a connection that asks nothing any more and
  // is ended by that is no failure. One that asks fails by its own answer.
  for (const pool of pools) pool.on("error", () => {});
  try {
    const [source, desired] = pools;
    const context = await resolveProfile(source, profile);
    const [from, to] = await Promise.all([context.extract(source), context.extract(desired)]);
    // Who may set a parameter is the cluster's, and the same for both.
    const ofTheCluster = (diagnostic) => diagnostic.message.includes('"parameter ACL"');
    const unknown = [...from.diagnostics, ...to.diagnostics].filter(
      (diagnostic) =>
        (diagnostic.code === "unmodeled_kind" && !ofTheCluster(diagnostic)) ||
        diagnostic.severity === "error",
    );
    if (unknown.length > 0) throw new Error(unknown.map((each) => each.message).join("\n"));

    const { policy, capability, baseline } = context.planOptions;
    const [before, after] = [from, to].map(({ factBase }) =>
      resolveView(factBase, policy, capability, baseline),
    );
    const facts = diff(before, after).map((delta) => {
      const id = delta.fact?.id ?? delta.id ?? delta.edge.from;
      return `${delta.verb} ${encodeId(id)}`;
    });
    const thePlan = plan(from.factBase, to.factBase, context.planOptions);
    const changes = thePlan.actions.map((action) => {
      if (action.transactionality !== "transactional") {
        throw new Error(`cannot run in a transaction: ${action.sql}`);
      }
      const formatted = formatSqlStatements([action.sql], { keywordCase: "lower", maxWidth: 100 });
      return {
        sql: formatted.map((statement) => `${statement.replace(/;\s*$/, "")};`).join("\n\n"),
        destructive: action.dataLoss === "destructive",
      };
    });
    return { facts, changes };
  } finally {
    await Promise.all(pools.map((pool) => pool.end()));
  }
}

for await (const asked of createInterface({ input: process.stdin })) {
  const answer = await compare(JSON.parse(asked)).catch((error) => ({
    error: error.stack ?? String(error),
  }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
