"""What every suite in Python does the same way: it leaves its result for the summary of all suites."""

import os
from collections import Counter
from pathlib import Path

TALLY_FILE = os.environ.get("AKV_TEST_TALLY")


def pytest_terminal_summary(terminalreporter):
    """Writes `passed N`, `failed N`, `skipped N` and one `note` for each reason to skip."""
    if not TALLY_FILE:
        return
    reports = terminalreporter.stats
    count = {
        "passed": len(reports.get("passed", [])),
        # Set-up and tear-down that fail are "error".
        "failed": len(reports.get("failed", [])) + len(reports.get("error", [])),
        "skipped": len(reports.get("skipped", [])) + len(reports.get("xfailed", [])),
    }
    if not any(count.values()):
        return
    reasons = Counter(skip_reason(report) for report in reports.get("skipped", []))
    reasons.update(f"expected to fail: {report.wasxfail}" for report in reports.get("xfailed", []))
    lines = [f"{what} {number}" for what, number in count.items()]
    lines += [f"note skipped {number}: {reason}" for reason, number in reasons.items()]
    lines += [f"note failed: {report.nodeid}" for what in ("failed", "error") for report in reports.get(what, [])]
    Path(TALLY_FILE).write_text("\n".join(lines) + "\n")


def skip_reason(report):
    """The text of a skip, without where it came from."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return " ".join(text.removeprefix("Skipped: ").split())
