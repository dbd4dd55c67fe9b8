"""The alerts as Prometheus evaluates them: promtool with series made up for a test."""

import subprocess

import yaml

from lint.build import RULES

# What a PodMonitor leaves on each series of one agent.
TARGET = {
    "job": "akv-agent",
    "namespace": "shop",
    "pod": "web-1",
    "container": "akv-agent",
    "endpoint": "akv-agent",
    "instance": "10.0.0.7:9808",
}
# What Prometheus notes for a series that has ended, at once for a target that it no longer finds.
GONE = "stale"
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


class Promtool:
    """Runs promtool in a directory of its own."""

    def __init__(self, directory):
        self.directory = directory

    def run(self, *arguments):
        return subprocess.run(
            ["promtool", *map(str, arguments)], cwd=self.directory, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def test(self, series, **expectations):
        """`promtool test rules`: None, or what was not as expected. A series has a list with one value a minute."""
        inputs = [{"series": name, "values": " ".join(map(_written, values))} for name, values in series.items()]
        content = {
            "rule_files": [str(RULES)],
            "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": inputs, **expectations}],
        }
        file = self.directory / "test.yaml"
        file.write_text(yaml.safe_dump(content))
        done = self.run("test", "rules", file)
        return None if done.returncode == 0 else done.stdout + done.stderr

    def firing(self, series, minute, alerts):
        """None if these alerts and no others are firing at that minute."""
        return self._expect(series, FIRING, minute, alerts)

    def fired(self, series, minutes, alerts=()):
        """None if these alerts and no others have been firing at some time until then."""
        ever = f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{minutes}m]))'
        return self._expect(series, ever, minutes, alerts)

    def _expect(self, series, expression, minute, alerts):
        samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]
        # However many agents raise it.
        test = {"expr": f"{expression} > bool 0", "eval_time": f"{minute}m", "exp_samples": samples}
        return self.test(series, promql_expr_test=[test])


def agent(minutes, target=TARGET, **metrics):
    """The series of an agent with which all is well, for so many minutes, but for what is said.

    A metric is named without its prefix. It has a list of values, or a dict of such lists by its labels; None
    leaves it out.
    """
    well = {"up": 1, "build_info": 1, "ready": 1, "problems": 0, "reactions_owed": 0, "passes_total": 1}
    named = {name: [value] * minutes for name, value in well.items()} | metrics
    result = {}
    for name, values in named.items():
        metric = name if name == "up" else f"akv_agent_{name}"
        for labels, one in (values if isinstance(values, dict) else {(): values}).items():
            if one is not None:
                text = ",".join(f'{label}="{value}"' for label, value in (target | dict(labels)).items())
                result[f"{metric}{{{text}}}"] = one
    return result


def by(**labels):
    """Labels as a key."""
    return tuple(labels.items())


def until_gone(series):
    """The same, and then the target is no more."""
    return {name: [*values, GONE] for name, values in series.items()}


def _written(value):
    return "_" if value is None else str(value)
