// The official clients, unchanged, against dev-vault.

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";

import { ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential } from "@azure/identity";
import { CertificateClient } from "@azure/keyvault-certificates";
import { KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";

import { start } from "./server.js";

// The check that is switched off compares the vault's host with the challenge's resource.
const OPTIONS = { disableChallengeResourceVerification: true };
// dev-vault's authority is none of the public clouds'.
const AUTHORITY = { disableInstanceDiscovery: true };
const POLLING = { intervalInMs: 10 };

let server, secrets, certificates, keys;

before(async () => {
  server = await start();
  const credential = new WorkloadIdentityCredential(AUTHORITY);
  secrets = new SecretClient(server.url, credential, OPTIONS);
  certificates = new CertificateClient(server.url, credential, OPTIONS);
  keys = new KeyClient(server.url, credential, OPTIONS);
});

after(() => server?.stop());

async function collect(iterator) {
  const items = [];
  for await (const item of iterator) items.push(item);
  return items;
}

function fails(promise, statusCode, code) {
  return assert.rejects(promise, (error) => {
    assert.deepEqual([error.statusCode, error.code], [statusCode, code]);
    return true;
  });
}

test("a seeded secret arrives with its properties", async () => {
  const { value, properties } = await secrets.getSecret("ExamplePassword");
  assert.equal(value, "seeded");
  assert.equal(properties.contentType, "text/plain");
  assert.deepEqual({ ...properties.tags }, { env: "prod" });
  assert.equal(properties.enabled, true);
  assert.equal(properties.recoveryLevel, "Recoverable+Purgeable");
});

test("a client secret is an identity", async () => {
  const credential = new ClientSecretCredential(
    server.env.AZURE_TENANT_ID,
    server.env.AZURE_CLIENT_ID,
    server.env.DEV_VAULT_CLIENT_SECRET,
    AUTHORITY,
  );
  const client = new SecretClient(server.url, credential, OPTIONS);
  assert.equal((await client.getSecret("ExamplePassword")).value, "seeded");
});

test("the endpoint of App Service is an identity", async (t) => {
  process.env.IDENTITY_ENDPOINT = `${server.plain}/msi/token`;
  process.env.IDENTITY_HEADER = server.env.DEV_VAULT_IDENTITY_HEADER;
  t.after(() => {
    delete process.env.IDENTITY_ENDPOINT;
    delete process.env.IDENTITY_HEADER;
  });
  const client = new SecretClient(server.url, new ManagedIdentityCredential(), OPTIONS);
  assert.equal((await client.getSecret("ExamplePassword")).value, "seeded");
});

test("a secret that was set is read back, and its old version too", async () => {
  const expiresOn = new Date("2030-01-01T00:00:00Z");
  const old = await secrets.setSecret("rotated", 'line 1\nline "2" \u00e4', { tags: { a: "b" }, expiresOn });
  await secrets.setSecret("Rotated", "new");
  assert.equal((await secrets.getSecret("rotated")).value, "new");
  const read = await secrets.getSecret("rotated", { version: old.properties.version });
  assert.equal(read.value, 'line 1\nline "2" \u00e4');
  assert.deepEqual(read.properties.expiresOn, expiresOn);
  const versions = await collect(secrets.listPropertiesOfSecretVersions("rotated"));
  assert.equal(versions.length, 2);
  assert.ok(versions.some(({ version }) => version === old.properties.version));
});

test("a list spans pages and has tags", async () => {
  const names = Array.from({ length: 30 }, (_, index) => `listed-${index}`);
  for (const name of names) await secrets.setSecret(name, "x", { tags: { name } });
  const listed = new Map();
  for await (const page of secrets.listPropertiesOfSecrets().byPage({ maxPageSize: 7 })) {
    assert.ok(page.length <= 7);
    for (const item of page) listed.set(item.name, item);
  }
  for (const name of names) assert.equal(listed.get(name).tags.name, name);
  assert.equal(listed.get("seeded").managed, true);
});

test("a disabled secret is refused", async () => {
  const { properties } = await secrets.setSecret("switch", "x");
  const changed = await secrets.updateSecretProperties("switch", properties.version, { enabled: false });
  assert.equal(changed.enabled, false);
  await fails(secrets.getSecret("switch"), 403, "Forbidden");
  await secrets.updateSecretProperties("switch", properties.version, { enabled: true });
  assert.equal((await secrets.getSecret("switch")).value, "x");
});

test("a deleted secret is recovered, a purged one is gone", async () => {
  await secrets.setSecret("gone", "x");
  await (await secrets.beginDeleteSecret("gone", POLLING)).pollUntilDone();
  await fails(secrets.getSecret("gone"), 404, "SecretNotFound");
  assert.deepEqual((await collect(secrets.listDeletedSecrets())).map(({ name }) => name), ["gone"]);
  await fails(secrets.setSecret("gone", "y"), 409, "Conflict");
  await (await secrets.beginRecoverDeletedSecret("gone", POLLING)).pollUntilDone();
  assert.equal((await secrets.getSecret("gone")).value, "x");
  await (await secrets.beginDeleteSecret("gone", POLLING)).pollUntilDone();
  await secrets.purgeDeletedSecret("gone");
  await fails(secrets.getDeletedSecret("gone"), 404, "SecretNotFound");
});

test("a seeded certificate has its key in the secret behind it", async () => {
  const certificate = await certificates.getCertificate("seeded");
  const leaf = new X509Certificate(certificate.cer);
  assert.equal(leaf.subject, "CN=seeded.example");
  const secret = await secrets.getSecret("seeded");
  assert.equal(secret.properties.contentType, "application/x-pem-file");
  assert.equal(secret.properties.certificateKeyId?.toString(), certificate.keyId);
  assert.ok(leaf.checkPrivateKey(createPrivateKey(secret.value)));
});

test("a certificate is made, listed, imported and deleted", async () => {
  const policy = { issuerName: "Self", subject: "CN=made.example", keyType: "RSA", contentType: "application/x-pem-file" };
  const poller = await certificates.beginCreateCertificate("made", policy, POLLING);
  const made = await poller.pollUntilDone();
  assert.equal(new X509Certificate(made.cer).subject, "CN=made.example");
  assert.equal((await certificates.getCertificatePolicy("made")).issuerName, "Self");
  const { value } = await secrets.getSecret("made");
  const imported = await certificates.importCertificate("imported", Buffer.from(value), {
    policy: { contentType: "application/x-pem-file" },
  });
  assert.deepEqual(Buffer.from(imported.cer), Buffer.from(made.cer));
  assert.equal((await secrets.getSecret("imported")).value, value);
  const names = (await collect(certificates.listPropertiesOfCertificates())).map(({ name }) => name);
  assert.deepEqual(names, ["imported", "made", "seeded"]);
  assert.equal((await collect(certificates.listPropertiesOfCertificateVersions("made"))).length, 1);
  await (await certificates.beginDeleteCertificate("imported", POLLING)).pollUntilDone();
  await fails(certificates.getCertificate("imported"), 404, "CertificateNotFound");
});

test("keys show their public half", async () => {
  const rsa = await keys.createRsaKey("rsa", { keySize: 2048 });
  assert.equal(rsa.key.n.length, 256);
  for (const [curve, size] of [["P-256", 32], ["P-384", 48], ["P-521", 66], ["P-256K", 32]]) {
    const { key } = await keys.createEcKey("ec", { curve });
    assert.deepEqual([key.crv, key.x.length, key.y.length, key.d], [curve, size, size, undefined]);
  }
  assert.equal((await keys.getKey("ec")).key.crv, "P-256K");
  assert.equal((await collect(keys.listPropertiesOfKeyVersions("ec"))).length, 4);
  const names = (await collect(keys.listPropertiesOfKeys())).filter(({ managed }) => !managed).map(({ name }) => name);
  assert.deepEqual(names, ["ec", "rsa"]);
  await fails(keys.getKey("nowhere"), 404, "KeyNotFound");
});
