/**
 * Bundle the widget into one minified script, as a module that the function can carry along.
 *
 *   deno run --allow-read --allow-write --allow-run edge/booking-widget/build.ts [--check]
 *
 * A hosted function is deployed with what it imports and nothing else, so the script travels as a
 * string in `dist/bundle.ts`. `--check` writes nothing and fails when that file is not what the
 * sources give.
 */
import { createHash } from "node:crypto";
import { gzip } from "../_shared/http.ts";

const here = new URL(".", import.meta.url);
const root = new URL("../../", here);
const output = new URL("dist/bundle.ts", here);

/** Whose parts are the widget's own: a text's name may be theirs too. */
const ours = new Set(["strings", "flow", "this", "moving", "waitlist", "waivers"]);

/**
 * The names of the widget's texts, which nobody outside reads: the bundler may shorten them. What has
 * a capital inside cannot be a column or a code of the database; problems of fields are looked up by
 * name. Fails when something that is not the widget's bears such a name.
 */
async function textNames(): Promise<string[]> {
  const texts = await Deno.readTextFile(new URL("src/strings.ts", here));
  const names = [...texts.matchAll(/^ {2}([a-z]+[A-Z]\w*): say\(/gm)]
    .flatMap(([, name]) => name && !/^(required|invalid)/.test(name) ? [name] : []);
  const known = new Set(names);
  for (const folder of ["src/", "src/views/"]) {
    for await (const { name: file } of Deno.readDir(new URL(folder, here))) {
      if (!file.endsWith(".ts") || file === "strings.ts") continue;
      const source = await Deno.readTextFile(new URL(folder + file, here));
      for (
        const [, owner, part, key] of source.matchAll(/(?<=(\w*)[\])]*[?!]?\.)(\w+)|\b(\w+): /g)
      ) {
        const name = part ?? key ?? "";
        if (known.has(name) && !ours.has(owner ?? "")) {
          throw new Error(`${folder}${file}: ${name} would be shortened: rename the text`);
        }
      }
    }
  }
  return names;
}

async function bundle(): Promise<string> {
  const esbuild = new Deno.Command(new URL("node_modules/.bin/esbuild", root), {
    args: [
      new URL("src/element.ts", here).pathname,
      "--bundle",
      "--minify",
      "--format=iife",
      "--target=es2022",
      "--charset=utf8",
      "--legal-comments=none",
      "--log-level=error",
      `--mangle-props=^(${(await textNames()).join("|")})$`,
    ],
    stdout: "piped",
    stderr: "inherit",
  });
  const { success, stdout } = await esbuild.output();
  if (!success) Deno.exit(1);
  return minifyStyles(new TextDecoder().decode(stdout));
}

/** The style sheet is a string to the bundler: take the air out of it here. */
function minifyStyles(script: string): string {
  return script.replace(/`\s*:host[^`]*`/, (sheet) =>
    sheet
      .replace(/\/\*[^]*?\*\//g, "")
      .replace(/\s+/g, " ")
      .replace(/ ?([{};,]) ?/g, "$1")
      .replace(/: /g, ":")
      .replace(/;}/g, "}"));
}

function asModule(script: string): string {
  const digest = createHash("sha384").update(script).digest();
  const hash = createHash("sha256").update(script).digest("hex").slice(0, 16);
  return `// Written by build.ts from src/. Do not edit.
export const hash = ${JSON.stringify(hash)};
export const integrity = ${JSON.stringify(`sha384-${digest.toString("base64")}`)};
export const script = ${JSON.stringify(script)};
`;
}

const script = await bundle();
const module = asModule(script);
const packed = gzip(new TextEncoder().encode(script));
const size = `${script.length} characters, ${packed.byteLength} bytes gzipped`;
if (Deno.args.includes("--check")) {
  if (await Deno.readTextFile(output).catch(() => "") !== module) {
    console.error("edge/booking-widget/dist is not what the sources give: run build.ts");
    Deno.exit(1);
  }
  console.log(`fresh: ${size}`);
} else {
  await Deno.mkdir(new URL("dist", here), { recursive: true });
  await Deno.writeTextFile(output, module);
  console.log(`written: ${size}`);
}
