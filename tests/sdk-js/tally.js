// Reports to the summary of all suites: `passed N`, `failed N`, `skipped N`, and a `note` for what is not passed.

export default async function* tally(events) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const notes = [];
  for await (const { type, data } of events) {
    if (data?.details?.type === "suite") continue;
    if (type === "test:pass" && data.skip !== undefined) {
      count.skipped += 1;
      notes.push(`note skipped: ${data.name}: ${data.skip}`);
    } else if (type === "test:pass") {
      count.passed += 1;
    } else if (type === "test:fail") {
      count.failed += 1;
      notes.push(`note failed: ${data.name}`);
    }
  }
  for (const [what, number] of Object.entries(count)) yield `${what} ${number}\n`;
  for (const note of notes) yield `${note}\n`;
}
