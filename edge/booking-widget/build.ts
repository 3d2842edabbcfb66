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
