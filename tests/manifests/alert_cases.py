"""What agents go through: trouble, with the alert that it must raise, and what must raise none.

Series have one value a minute. Moments are seconds since the start of the test, at which Prometheus
believes that the epoch began.
"""

from typing import NamedTuple

from promtool import GONE, TARGET, agent, by, until_gone

MINUTES_A_DAY = 24 * 60
DAY = 86400

FAILURE, SUCCESS = by(reaction="http", result="failure"), by(reaction="http", result="success")
PASSWORD, OTHER = by(variable="DB_PASSWORD"), by(variable="OTHER")
VAULT = "myk8skv.vault.azure.net:443"


class Trouble(NamedTuple):
    """An alert, the last minute at which it must not fire yet, one at which it must, and the series."""

    alert: str
    not_yet: int
    by_now: int
    series: dict
    # Other alerts that may have fired before, or fire as well.
    also: tuple = ()


def ramp(flat, minutes, step=1, value=0):
    """A counter that rests for a while and then rises every minute."""
    return [value] * flat + [value + step * (minute + 1) for minute in range(minutes)]


# It waits for two minutes, ends, and is started anew at longer and longer intervals.
STARTED_ANEW = [0, 0, None, *[0, 0, None, None, None, None, None] * 8]


def seen(value):
    """Its values while it runs; a scrape that fails ends a series."""
    return [GONE if ready is None else value for ready in STARTED_ANEW]


TROUBLE = {
    "never ready": Trouble("AkvAgentNotReady", 4, 6, agent(30, ready=[0] * 30)),
    "never ready and started anew again and again": Trouble(
        "AkvAgentNotReady", 4, 30,
        agent(
            59, up=[int(ready is not None) for ready in STARTED_ANEW], ready=seen(0), build_info=seen(1),
            problems=seen(1), reactions_owed=seen(0), passes_total=seen(0),
        ),
    ),
    "not ready after a restart": Trouble("AkvAgentNotReady", 20, 28, agent(40, ready=[1] * 10 + [0] * 30)),
    "ended": Trouble(
        "AkvAgentDown", 24, 26, until_gone(agent(10, up=None)) | agent(0, up=[1] * 10 + [0] * 30)
    ),
    "never answers": Trouble("AkvAgentDown", 14, 16, {name: [0] * 30 for name in agent(1) if name.startswith("up")}),
    "no target": Trouble("AkvAgentAbsent", 14, 16, {}),
    "no target any more": Trouble("AkvAgentAbsent", 24, 26, until_gone(agent(10))),
    "a problem that stays": Trouble("AkvAgentProblem", 34, 36, agent(60, problems=[0] * 5 + [2] * 55)),
    "a vault that gave answers": Trouble(
        "AkvAgentVaultNotRead", 69, 72,
        agent(90, problems=[0] * 20 + [1] * 70, vault_last_success_timestamp_seconds=[0] * 90),
        ("AkvAgentProblem",),
    ),
    "a vault that throttles": Trouble(
        "AkvAgentVaultThrottled", 34, 40,
        agent(60, http_requests_total={by(host=VAULT, code="200"): ramp(0, 60), by(host=VAULT, code="429"): ramp(5, 55)}),
    ),
    "a mount that stays behind": Trouble(
        "AkvAgentMountStale", 14, 16, agent(30, mount_stale={PASSWORD: [0] * 10 + [1] * 20, OTHER: [0] * 30})
    ),
    "a reaction that fails": Trouble(
        "AkvAgentReactionFailing", 20, 24,
        agent(
            50, reactions_owed=[0] * 10 + [1] * 40,
            reactions_total={FAILURE: [None] * 10 + ramp(0, 40), SUCCESS: [None] * 10 + [0] * 40},
        ),
    ),
    "a reaction that is not tried": Trouble("AkvAgentReactionOwed", 69, 71, agent(90, reactions_owed=[0] * 10 + [1] * 80)),
    "restarts upon changes without end": Trouble(
        "AkvAgentRestartsTooOften", 24, 28, agent(40, child_restarts_total=ramp(10, 30))
    ),
    # As restartPolicy starts it in the long run.
    "a child that ends again and again": Trouble(
        "AkvAgentRestartsTooOften", 50, 75, agent(90, child_restarts_total=[minute // 5 for minute in range(90)])
    ),
    "a set that is rejected": Trouble(
        "AkvAgentSetRejected", 10, 12,
        agent(30, set_rejected=[0] * 10 + [1] * 20, rollbacks_total=[0] * 10 + [1] * 20),
    ),
    "a secret that nobody renews": Trouble(
        "AkvAgentSecretExpiresSoon", MINUTES_A_DAY + 60, MINUTES_A_DAY + 65,
        agent(
            2 * MINUTES_A_DAY, variable_expires_timestamp_seconds={PASSWORD: [8 * DAY] * 2 * MINUTES_A_DAY},
            variable_changed_timestamp_seconds={PASSWORD: [-30 * DAY] * 2 * MINUTES_A_DAY},
        ),
    ),
    "a secret that has expired": Trouble(
        "AkvAgentSecretExpired", 74, 77,
        agent(
            90, variable_expires_timestamp_seconds={PASSWORD: [3600] * 90},
            variable_changed_timestamp_seconds={PASSWORD: [0] * 90},
        ),
    ),
}


def minutes(*flags):
    """Values by how many minutes they last: (10, 0), (2, 1), …"""
    return [value for many, value in flags for _ in range(many)]


REPLACED = TARGET | {"pod": "web-2", "instance": "10.0.0.8:9808"}

# Whatever is in here is everyday life.
PEACE = {
    "nothing happens": agent(180),
    "a slow start": agent(
        60, up=minutes((3, 0), (57, 1)), ready=minutes((3, None), (4, 0), (53, 1)),
        problems=minutes((3, None), (4, 1), (53, 0)),
    ),
    "a pod that ends before it is ready, and the next": until_gone(agent(4, ready=[0] * 4))
    | agent(60, REPLACED, ready=minutes((4, None), (1, 0), (55, 1)), up=minutes((4, None), (56, 1))),
    # The first pod takes a few minutes to end, and the next to start.
    "a node that is drained": until_gone(agent(0, up=minutes((30, 1), (5, 0))))
    | {name: [*values, *[GONE] * 6] for name, values in agent(30, up=None).items()}
    | {name: [None] * 32 + values for name, values in agent(60, REPLACED, up=minutes((3, 0), (57, 1))).items()},
    "one pod, ten minutes without": {
        name: [*values, GONE, *[None] * 9, *values] for name, values in agent(20).items()
    },
    "a rotation that a sidecar tells of": agent(
        120, changes_total=minutes((30, 0), (90, 1)), reactions_owed=minutes((30, 0), (1, 1), (89, 0)),
        reactions_total={SUCCESS: minutes((30, None), (90, 1)), FAILURE: minutes((30, None), (90, 0))},
    ),
    "a rotation while the app is restarted": agent(
        120, problems=minutes((30, 0), (6, 1), (84, 0)), reactions_owed=minutes((30, 0), (6, 1), (84, 0)),
        reactions_total={FAILURE: minutes((30, None), (1, 3), (1, 5), (4, 8), (84, 8)), SUCCESS: minutes((36, 0), (84, 1))},
    ),
    "a rotation upon which exec restarts the app": agent(
        120, child_restarts_total=minutes((30, 0), (90, 1)), child_on_probation=minutes((30, 0), (1, 1), (89, 0)),
        set_rejected=[0] * 120, rollbacks_total=[0] * 120, reactions_owed=minutes((30, 0), (1, 1), (89, 0)),
    ),
    "ten rotations within half an hour": agent(
        180, child_restarts_total=[min(minute // 3, 10) for minute in range(180)], set_rejected=[0] * 180
    ),
    "a splay of half an hour": agent(120, reactions_owed=minutes((10, 0), (30, 1), (80, 0))),
    "a mount that catches up in time": agent(
        60, mount_stale={PASSWORD: [0] * 60},
        mount_behind_since_timestamp_seconds={PASSWORD: minutes((20, None), (4, 1200), (1, GONE))},
    ),
    "a vault that is away for twenty minutes": agent(
        120, problems=minutes((30, 0), (20, 1), (70, 0)),
        vault_last_success_timestamp_seconds=[0, *minutes((30, 1500), (20, 1500), (69, 3100))],
    ),
    "a vault that is not polled": agent(300, vault_last_success_timestamp_seconds=[0] * 300),
    "a vault that is asked every two hours": agent(
        300, vault_last_success_timestamp_seconds=[7200 * (minute // 120) for minute in range(300)]
    ),
    "a vault that throttles for a while": agent(
        120, http_requests_total={by(host=VAULT, code="429"): [min(max(minute - 20, 0), 10) for minute in range(120)]}
    ),
    "a secret for three days, renewed every day": agent(
        5 * MINUTES_A_DAY,
        variable_expires_timestamp_seconds={
            PASSWORD: [DAY * (minute // MINUTES_A_DAY + 3) for minute in range(5 * MINUTES_A_DAY)]
        },
        variable_changed_timestamp_seconds={
            PASSWORD: [DAY * (minute // MINUTES_A_DAY) for minute in range(5 * MINUTES_A_DAY)]
        },
    ),
    "a certificate that is renewed a month before its end": agent(
        3 * MINUTES_A_DAY,
        variable_expires_timestamp_seconds={PASSWORD: minutes((MINUTES_A_DAY, 31 * DAY), (2 * MINUTES_A_DAY, 365 * DAY))},
        variable_changed_timestamp_seconds={PASSWORD: minutes((MINUTES_A_DAY, 0), (2 * MINUTES_A_DAY, DAY))},
    ),
    "a secret that has no end": agent(60, variable_changed_timestamp_seconds={PASSWORD: [0] * 60}),
}
