"""The dashboard is one that Grafana takes, and asks only for what there is."""

import json
import re

import pytest

from lint.build import DEPLOY, RULES, documents

FILE = DEPLOY / "monitoring" / "dashboard.json"
DASHBOARD = json.loads(FILE.read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# The last one of dashboards in this form, of Grafana 12.2 and later; older ones take it too.
SCHEMA = 42
WIDTH = 24

each = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"].replace(" ", "-"))


def expressions():
    """Every query to Prometheus, those of the variables included."""
    for panel in PANELS:
        yield from (target["expr"] for target in panel["targets"])
    for variable in VARIABLES.values():
        if variable["type"] == "query":
            yield re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])[1]


def plain(expression):
    """As Prometheus gets it."""
    return re.sub(r"\$(namespace|pod)\b", ".*", expression.replace("$__rate_interval", "5m"))


def test_it_is_a_dashboard_of_its_own_for_any_data_source():
    assert (DASHBOARD["schemaVersion"], DASHBOARD["uid"]) == (SCHEMA, "akv-agent")
    assert list(VARIABLES) == ["datasource", "namespace", "pod"]
    assert (VARIABLES["datasource"]["type"], VARIABLES["datasource"]["query"]) == ("datasource", "prometheus")
    # An identifier of whoever exported it, or a data source of his, would be found nowhere else.
    assert "id" not in DASHBOARD and "__inputs" not in DASHBOARD
    text = FILE.read_text()
    assert text == json.dumps(DASHBOARD, indent=2, ensure_ascii=False) + "\n"
    assert text.count('"uid": ') == text.count('"uid": "${datasource}"') + 1


def test_panels_lie_side_by_side_under_their_rows():
    assert [row["title"] for row in DASHBOARD["panels"] if row["type"] == "row"] == [
        "State", "Rotations and reactions", "Sources and latency", "Process",
    ]  # fmt: skip
    assert DASHBOARD["panels"][0]["type"] == "row"
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
        }
        assert cells and max(x for x, _ in cells) < WIDTH, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
    tops = [panel["gridPos"]["y"] for panel in DASHBOARD["panels"]]
    assert tops == sorted(tops)


@each
def test_a_panel_says_what_it_shows_and_asks_the_chosen_source(panel):
    assert panel["type"] in ("stat", "timeseries", "table")
    assert panel["title"] and panel["description"].endswith(".")
    assert panel["datasource"] == DATA_SOURCE
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    for target in panel["targets"]:
        assert target["datasource"] == DATA_SOURCE
        assert target["instant"] == (panel["type"] != "timeseries") != target["range"]


@each
def test_a_query_is_about_the_chosen_pods_only(panel):
    for target in panel["targets"]:
        for selector in re.findall(r"(\w+)\{([^}]*)\}", target["expr"]):
            if selector[0] == "ALERTS":
                # Not all of them are about a pod.
                assert 'namespace=~"$namespace|", pod=~"$pod|"' in selector[1]
            else:
                assert 'job="akv-agent", namespace=~"$namespace", pod=~"$pod"' in selector[1]


def test_prometheus_understands_every_query(promtool):
    rules = [{"record": f"panel:{number}", "expr": plain(text)} for number, text in enumerate(expressions())]
    assert len(rules) > len(PANELS)
    file = promtool.directory / "queries.json"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool.run("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_that_it_shows_are_ours():
    [pattern] = {re.search(r'alertname=~"([^"]*)"', text)[1] for text in expressions() if "ALERTS" in text}
    [group] = documents(RULES.read_text())[0]["groups"]
    assert all(re.fullmatch(pattern, rule["alert"]) for rule in group["rules"])
