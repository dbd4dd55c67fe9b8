"""What alerts, dashboard and documentation say of the metrics is what a real agent has.

Needs the built binaries in AKV_AGENT_BIN and DEV_VAULT_BIN.
"""

import re

import pytest

from agent_metrics import Missing, collect
from lint.build import ROOT, RULES, documents
from test_dashboard import expressions, plain

[GROUP] = documents(RULES.read_text())[0]["groups"]
# Of Prometheus itself: of each target, and of each alert.
OF_TARGETS = {"up", "scrape_duration_seconds"}
OF_ALERTS = {"ALERTS"}
# What a PodMonitor, or the configuration in the README, leaves on each series.
OF_THE_TARGET = {"job", "instance", "namespace", "pod"}

QUERIES = [rule["expr"] for rule in GROUP["rules"]] + [plain(text) for text in expressions()]
each_query = pytest.mark.parametrize("query", QUERIES)


@pytest.fixture(scope="session")
def families(tmp_path_factory):
    try:
        return collect(tmp_path_factory.mktemp("agent"))
    except Missing as reason:
        pytest.skip(str(reason))


def metrics(query):
    """The metrics that a query names, each with the labels that it asks about."""
    for name, matchers in re.findall(r"\b([a-zA-Z_]\w*)\{([^}]*)\}", query):
        yield name, set(re.findall(r"(\w+)=", re.sub(r'"[^"]*"', '""', matchers).replace("=~", "=")))


@each_query
def test_a_query_asks_for_what_there_is(query, families):
    found = dict(metrics(query))
    assert found
    # None without braces, where it would not be seen here.
    assert set(re.findall(r"akv_agent_\w+", query)) <= set(found)
    for name, labels in found.items():
        if name in OF_ALERTS:
            continue
        own = set() if name in OF_TARGETS else families[name].labels
        assert labels <= OF_THE_TARGET | own, name


@each_query
def test_a_query_groups_by_labels_that_there_are(query, families):
    known = OF_THE_TARGET | {"alertname"}.union(*(families[name].labels for name, _ in metrics(query) if name in families))
    for labels in re.findall(r"\b(?:by|on|without) \(([^)]*)\)", query):
        assert set(labels.split(", ")) <= known


@each_query
def test_counters_are_asked_how_fast_they_rise_and_gauges_where_they_are(query, families):
    rising = set(re.findall(r"\b(?:rate|increase)\((\w+)", query))
    counters = {name for name, _ in metrics(query) if name in families and families[name].kind == "counter"}
    assert rising == counters


def test_the_documentation_lists_every_metric(families):
    table = (ROOT / "docs" / "status.md").read_text()
    rows = re.findall(r"^\| `(akv_agent_\w+)(?:\{([\w,]+)\})?` \| (gauge|counter) \|", table, re.M)
    listed = {name: (kind, frozenset(labels.split(",")) - {""}) for name, labels, kind in rows}
    assert listed == {name: (family.kind, family.labels) for name, family in families.items()}
