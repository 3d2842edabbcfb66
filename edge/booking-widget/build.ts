/**
 * Bundle the widget into two minified scripts, as a module that the function can carry along: what
 * every visitor needs, and what the first loads when somebody manages a booking, waits or signs.
 *
 *   deno run --allow-read --allow-write --allow-env --allow-run edge/booking-widget/build.ts [--check]
 *
 * A hosted function is deployed with what it imports and nothing else, so the scripts travel as
 * strings in `dist/bundle.ts`. `--check` writes nothing and fails when that file is not what the
 * sources give.
 */
import { createHash } from "node:crypto";
import { gzip } from "../_shared/http.ts";

const here = new URL(".", import.meta.url);
const root = new URL("../../", here);
const output = new URL("dist/bundle.ts", here);

/** Whose members the widget's own names are: a name that anything else bears is left as it is. */
const ours = new Set(
  ("strings this flow entering choosing free pricing details paying trail clock more managing moving waitlist " +
    "waivers vouchers shares").split(" "),
);

/**
 * Names that nobody outside reads, and short ones in their place: those of the widget's texts and of
 * what the parts of its flow can do. What has a capital inside cannot be a column or a code of the
 * database; problems of fields are looked up by name. Both scripts get the same.
 */
async function shortNames(): Promise<Record<string, string>> {
  const names = new Set<string>();
  const outside = new Set<string>();
  for (const folder of ["src/", "src/views/"]) {
    for await (const { name: file } of Deno.readDir(new URL(folder, here))) {
      if (!file.endsWith(".ts")) continue;
      const source = await Deno.readTextFile(new URL(folder + file, here));
      if (file.startsWith("strings")) {
        for (const [, name] of source.matchAll(/^ {2}([a-z]+[A-Z]\w*): say\(/gm)) names.add(name!);
        continue;
      }
      for (
        const [, name] of source.matchAll(/^ {2}(?:async |get )?([a-z]+[A-Z]\w*)\(.*\{$/gm)
      ) names.add(name!);
      for (
        const [, owner, part, key] of source.matchAll(/(?<=(\w*)[\])]*[?!]?\.)(\w+)|\b(\w+)\??: /g)
      ) if (key || !ours.has(owner ?? "")) outside.add(part ?? key ?? "");
    }
  }
  return Object.fromEntries(
    [...names]
      .filter((name) =>
        !outside.has(name) && !/^(required|invalid|connected|disconnected|attribute)/.test(name)
      )
      .sort()
      .map((name, index) => [name, `$${index.toString(36)}`]),
  );
}

/** A script with what a page needs to load exactly these bytes. */
interface Script {
  readonly file: string;
  readonly integrity: string;
  readonly text: string;
}

const names = await shortNames();
const nameFile = await Deno.makeTempFile({ suffix: ".json" });
await Deno.writeTextFile(nameFile, JSON.stringify(names));

async function bundle(entry: string, constants: Record<string, string> = {}): Promise<Script> {
  const esbuild = new Deno.Command(new URL("node_modules/.bin/esbuild", root), {
    args: [
      new URL(`src/${entry}`, here).pathname,
      "--bundle",
      "--minify",
      "--format=iife",
      "--target=es2022",
      "--charset=utf8",
      "--legal-comments=none",
      "--log-level=error",
      `--mangle-props=^(${Object.keys(names).join("|")})$`,
      `--mangle-cache=${nameFile}`,
      ...Object.entries(constants).map(([name, value]) =>
        `--define:${name}=${JSON.stringify(value)}`
      ),
    ],
    stdout: "piped",
    stderr: "inherit",
  });
  const { success, stdout } = await esbuild.output();
  if (!success) Deno.exit(1);
  const text = minifyStyles(new TextDecoder().decode(stdout));
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 16);
  const digest = createHash("sha384").update(text).digest("base64");
  return { file: `${hash}.js`, integrity: `sha384-${digest}`, text };
}

/** The style sheet is a string to the bundler: take the air out of it here. */
function minifyStyles(script: string): string {
  return script.replace(/`\s*[:.][\w-]+ ?\{[^`]*`/, (sheet) =>
    sheet
      .replace(/\/\*[^]*?\*\//g, "")
      .replace(/\s+/g, " ")
      .replace(/ ?([{};,]) ?/g, "$1")
      .replace(/: /g, ":")
      .replace(/;}/g, "}"));
}

const more = await bundle("more_script.ts");
const first = await bundle("element.ts", {
  MORE_FILE: more.file,
  MORE_INTEGRITY: more.integrity,
});
await Deno.remove(nameFile);
const module = `// Written by build.ts from src/. Do not edit.
export const first = ${JSON.stringify(first)};
export const more = ${JSON.stringify(more)};
`;
const size = ({ text }: Script) => `${gzip(new TextEncoder().encode(text)).byteLength}`;
const sizes = `${size(first)} and ${size(more)} bytes gzipped`;
if (Deno.args.includes("--check")) {
  if (await Deno.readTextFile(output).catch(() => "") !== module) {
    console.error("edge/booking-widget/dist is not what the sources give: run build.ts");
    Deno.exit(1);
  }
  console.log(`fresh: ${sizes}`);
} else {
  await Deno.mkdir(new URL("dist", here), { recursive: true });
  await Deno.writeTextFile(output, module);
  console.log(`written: ${sizes}`);
}
