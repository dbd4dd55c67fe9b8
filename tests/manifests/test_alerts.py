"""Every alert fires in the trouble that it is for, and none in everyday life, as Prometheus itself sees it."""

import re

import pytest

from alert_cases import PEACE, TROUBLE
from lint.build import ROOT, RULES, documents
from promtool import agent

RUNBOOK = "https://github.com/akv-agent/akv-agent/blob/main/"
[CONTENT] = documents(RULES.read_text())
[GROUP] = CONTENT["groups"]

each = pytest.mark.parametrize("rule", GROUP["rules"], ids=lambda rule: rule["alert"])


def test_promtool_has_nothing_to_say(promtool):
    done = promtool.run("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_what_is_wrong(promtool):
    text = RULES.read_text()
    for right, wrong in (("absent(up", "abscent(up"), ("$labels.pod", "$label.pod"), ("for: 5m", "for: soon")):
        assert right in text
        file = promtool.directory / "alerts.yaml"
        file.write_text(text.replace(right, wrong))
        assert promtool.run("check", "rules", file).returncode != 0, wrong


@each
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule):
    assert rule["alert"].startswith("AkvAgent")
    assert rule["labels"].keys() == {"severity"} and rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    file, _, anchor = rule["annotations"]["runbook_url"].removeprefix(RUNBOOK).partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / file).read_text(), re.M)
    assert rule["alert"] in headings and anchor == rule["alert"].lower()


def test_the_runbook_is_about_these_alerts_in_their_order():
    headings = re.findall(r"^## (AkvAgent\w+)$", (ROOT / "docs" / "alerts.md").read_text(), re.M)
    assert headings == [rule["alert"] for rule in GROUP["rules"]]


def test_every_alert_is_seen_to_fire():
    assert {trouble.alert for trouble in TROUBLE.values()} == {rule["alert"] for rule in GROUP["rules"]}


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_raises_its_alert_in_time_and_not_before(promtool, name):
    trouble = TROUBLE[name]
    expected = {trouble.alert, *trouble.also}
    assert promtool.fired(trouble.series, trouble.not_yet, trouble.also) is None
    assert promtool.firing(trouble.series, trouble.by_now, sorted(expected)) is None


@pytest.mark.parametrize("name", PEACE)
def test_everyday_life_raises_none(promtool, name):
    length = max(len(values) for values in PEACE[name].values())
    assert promtool.fired(PEACE[name], length) is None


def test_an_alert_that_has_fired_is_seen_afterwards(promtool):
    """Otherwise the test above would find nothing, whatever happened."""
    passed = agent(60, problems=[1] * 40 + [0] * 20)
    assert promtool.firing(passed, 59, []) is None
    assert promtool.fired(passed, 59, ["AkvAgentProblem"]) is None
    assert "AkvAgentProblem" in promtool.fired(passed, 59)


@pytest.mark.parametrize("name", TROUBLE)
def test_what_an_alert_says_names_the_pod(promtool, name):
    trouble = TROUBLE[name]
    test = {"alertname": trouble.alert, "eval_time": f"{trouble.by_now}m", "exp_alerts": []}
    # As nothing is expected, it shows what there is.
    said = promtool.test(trouble.series, alert_rule_test=[test])
    [text] = re.findall(r'description="(.*?)", runbook_url', said)
    assert "no value" not in text and "error" not in text and "{{" not in text
    if trouble.alert != "AkvAgentAbsent":
        assert "shop/web-1 " in text
