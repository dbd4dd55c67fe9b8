// Prints what a reader for JavaScript makes of a file, as JSON.

import { readFileSync } from "node:fs";

const [reader, path] = process.argv.slice(2);
const text = readFileSync(path, "utf8");
const parse = reader === "json" ? JSON.parse : (await import("dotenv")).default.parse;
process.stdout.write(JSON.stringify(parse(text)));
