// A running dev-vault, and the variables that a client of it needs.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import tls from "node:tls";

const SEED = `
vaults:
  default:
    secrets:
      ExamplePassword: {value: seeded, contentType: text/plain, tags: {env: prod}}
    certificates:
      seeded: {subject: CN=seeded.example, format: pem}
`;

// Starts one; `t.after` or `after` must be given its `stop`.
export async function start() {
  const directory = await mkdtemp(join(tmpdir(), "dev-vault-js-"));
  const seed = join(directory, "seed.yaml");
  await writeFile(seed, SEED);
  const child = spawn(process.env.DEV_VAULT_BIN, ["serve", "--seed", seed, "--dir", join(directory, "vault")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(directory, { recursive: true });
  };
  // The line comes, or the server ends and closes its output.
  const { value: line } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const ready = /^ready url=(\S+) plain=(\S+) env=(.+)$/.exec(line ?? "");
  if (!ready) {
    await stop();
    throw new Error("dev-vault did not start");
  }
  const env = exported(await readFile(ready[3], "utf8"));
  for (const name of Object.keys(process.env)) {
    if (/^(AZURE_|IDENTITY_|MSI_)/.test(name) || /_proxy$/i.test(name)) delete process.env[name];
  }
  Object.assign(process.env, env);
  tls.setDefaultCACertificates([await readFile(env.SSL_CERT_FILE, "utf8")]);
  return { url: ready[1], plain: ready[2], env, stop };
}

function exported(text) {
  const lines = text.matchAll(/^export ([A-Z_]+)='(.*)'$/gm);
  return Object.fromEntries(Array.from(lines, ([, name, value]) => [name, value]));
}
