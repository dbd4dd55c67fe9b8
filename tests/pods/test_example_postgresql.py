"""examples/postgresql: no login fails because a password was rotated, as PostgreSQL itself tells it."""

import re
import shutil
import subprocess

import pytest

import postgresql
from hardening import assert_hardened
from images import AGENT
from kubelet import Kubelet, Workload
from postgresql import Database, EXAMPLE
from waiting import eventually

ROTATIONS = 6
# Logins that are looked at after each of them.
ENOUGH = 20
AT_ONCE = 4
# A login for every order, and orders without a pause worth the name. One after the other, so that the second order
# after a change was certainly begun after it.
OFTEN = {"CONNECTION_LIFETIME": "0", "PAUSE": "0.01", "WORKERS": "1"}


@pytest.fixture
def pod(pods):
    return pods.create(share_pids=True)


@pytest.fixture
def database(pod, debian, tmp_path):
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in examples/")
    return Database(pod, tmp_path, debian)


@pytest.fixture
def start(pod, pods, debian, database, tmp_path):
    """Starts one of the two clients, which have logged in when this is back, and sees to it that nobody tells a password."""

    def start(name, **settings):
        images = dict.fromkeys(["install-akv-agent", "akv-agent"], AGENT) | {"app": postgresql.client_image(debian)}
        kubelet = Kubelet(pod, Workload(EXAMPLE, name), tmp_path / name, images, csi=database.mount.directory)
        splay = {"AKV_AGENT_SPLAY": "0s"}
        containers = kubelet.start(
            env={"akv-agent": splay, "app": (splay if name == "orders" else {}) | settings},
            volumes={"app": [database.hosts]},
        )
        wait_for_orders(containers["app"], 1)
        return containers

    yield start
    for container in pods.containers():
        said = container.output() + container.errors()
        assert not [password for password in database.passwords() if password in said], container.name


def orders(app):
    """The roles by which orders were placed."""
    return re.findall(r"^order \d+ by (orders_[ab])$", app.output(), re.M)


def wait_for_orders(app, more):
    count = len(orders(app)) + more
    eventually(f"{count} orders", lambda: len(orders(app)) >= count)


def told(app):
    """What the client says at its start and when it has read its login anew."""
    return re.findall(r"^((?:ready|renewed) as orders_[ab])$", app.output(), re.M)


def wait_until_told(app, *expected):
    eventually(f"{expected}", lambda: len(told(app)) >= len(expected))
    assert told(app) == list(expected)


def wait_for_logins(database, more):
    """Gives the roles of so many logins after this moment."""
    before = len(database.logins())
    eventually(f"{more} logins", lambda: len(database.logins()) >= before + more)
    return database.logins()[before:]


@pytest.mark.parametrize(("name", "word"), [("orders", "ready"), ("orders-reload", "renewed")])
def test_two_roles_in_turn_fail_no_login_at_any_time(start, database, name, word):
    assert database.rotate("orders_a") == "orders_a"
    containers = start(name, **OFTEN | {"WORKERS": str(AT_ONCE)})
    app = containers["app"]
    for container in containers.values():
        if container.inspect("State.Status") == "running":
            assert_hardened(container)
    assert_hardened(database.server, postgresql.USER)
    expected = ["ready as orders_a"]
    for number in range(ROTATIONS):
        role = database.rotate()
        assert role == ("orders_b", "orders_a")[number % 2]
        expected.append(f"{word} as {role}")
        wait_until_told(app, *expected)
        # With the role of before only what had been begun.
        assert wait_for_logins(database, ENOUGH).count(role) >= ENOUGH - AT_ONCE
        assert database.failures() == 0
    assert len(set(database.passwords())) == ROTATIONS + 1
    app.signal("TERM")
    assert app.exit_code() == 0
    assert database.failures() == 0


@pytest.mark.parametrize(("name", "word"), [("orders", "ready"), ("orders-reload", "renewed")])
def test_one_role_fails_logins_before_the_switch_and_none_after_it(start, database, name, word):
    database.rotate("orders_a")
    app = start(name, **OFTEN)["app"]
    expected = ["ready as orders_a"]
    for _ in range(5):
        before = database.failures()
        held = database.hold()
        rotation = database.start_rotation("orders_a")
        # The database has the new password, and the vault does not.
        eventually("a login that fails", lambda count=before: database.failures() > count)
        held.unlink()
        said, _ = rotation.communicate(timeout=60)
        assert rotation.returncode == 0, said

        expected.append(f"{word} as orders_a")
        wait_until_told(app, *expected)
        wait_for_orders(app, 2)
        after = database.failures()
        wait_for_logins(database, ENOUGH)
        assert database.failures() == after


def test_a_connection_outlives_the_password_that_it_was_made_with(start, database):
    database.rotate("orders_a")
    app = start("orders", PAUSE="0.02", WORKERS="1")["app"]
    before, held = database.hash_of("orders_a"), database.hold()
    rotation = database.start_rotation("orders_a")
    eventually("the new password", lambda: database.hash_of("orders_a") != before)
    wait_for_orders(app, ENOUGH)
    assert database.logins() == ["orders_a"]
    held.unlink()
    said, _ = rotation.communicate(timeout=60)
    assert rotation.returncode == 0, said
    wait_until_told(app, "ready as orders_a", "ready as orders_a")
    assert database.failures() == 0


def test_a_wrong_password_is_taken_back_and_the_next_right_one_is_taken(start, database):
    database.rotate("orders_a")
    app = start("orders", LOGIN_PATIENCE="1", **OFTEN)["app"]
    database.mount_wrong_password("orders_b")
    # The role of before is still good, so going back to it is of use.
    wait_until_told(app, "ready as orders_a", "ready as orders_b", "ready as orders_a")
    assert database.failures() > 0
    assert set(wait_for_logins(database, ENOUGH)) == {"orders_a"}

    before = database.failures()
    database.rotate("orders_b")
    wait_until_told(app, "ready as orders_a", "ready as orders_b", "ready as orders_a", "ready as orders_b")
    wait_for_orders(app, 2)
    assert set(wait_for_logins(database, ENOUGH)) == {"orders_b"}
    assert database.failures() == before


def test_a_client_that_reads_its_login_again_stays_with_the_old_one_while_the_new_one_is_refused(start, database):
    database.rotate("orders_a")
    app = start("orders-reload", **OFTEN)["app"]
    database.mount_wrong_password("orders_b")
    eventually("a new login that is refused", lambda: "still orders_a: " in app.output())
    assert set(wait_for_logins(database, ENOUGH)) == {"orders_a"}
    assert app.output().count("not connected") == 0

    # Right without another change of the file: it is the database that catches up.
    database.set_password("orders_b", database.WRONG)
    wait_until_told(app, "ready as orders_a", "renewed as orders_b")
    wait_for_orders(app, 2)
    assert set(wait_for_logins(database, ENOUGH)) == {"orders_b"}


def test_a_rotation_is_refused_while_a_client_has_missed_the_one_before(pods, database):
    database.rotate("orders_a")
    login = database.login()
    psql = database.psql("--env=PGPASSWORD")
    session = subprocess.Popen(
        [*psql, f"host=127.0.0.1 dbname=orders user={login['username']}"], stdin=subprocess.PIPE,
        env={**database.server.podman.environment, "PGPASSWORD": login["password"]},
    )  # fmt: skip
    eventually("the session", database.logins)
    assert database.rotate() == "orders_b"

    refused = database.start_rotation()
    said, _ = refused.communicate(timeout=60)
    assert refused.returncode != 0
    assert "1 sessions are still those of orders_a" in said
    assert database.login()["username"] == "orders_b"

    session.communicate(timeout=30)
    assert session.returncode == 0
    assert database.rotate() == "orders_a"


def test_the_server_starts_again_on_a_volume_that_was_mounted_again(database):
    database.rotate("orders_a")
    # As the kubelet leaves it for the fsGroup.
    database.data.chmod(0o2770)
    database.server.restart()
    database.wait_until_ready()
    assert database.rotate() == "orders_b"
