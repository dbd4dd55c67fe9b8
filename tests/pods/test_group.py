"""Agent and app as two users with one group, which is what an `fsGroup` gives them."""

import os
import stat

from canaries import NEW, OLD
from hardening import assert_hardened
from images import AGENT, APP
from podman import NON_ROOT
from sample_app import wait_for
from sources import MOUNT
from waiting import eventually

GROUP, APP_USER = 2000, NON_ROOT + 1
SETTINGS = {
    "AKV_AGENT_MOUNT": MOUNT,
    "AKV_AGENT_ENV": "SECRET=ExamplePassword",
    "AKV_AGENT_ENV_FILE": "/run/akv-agent/app.env",
}
APP_COMMAND = ("/sample-app", "--env-file=/run/akv-agent/app.env", "SECRET")


def test_an_app_of_another_user_reads_the_file_by_its_group(pods, mount, shared, tmp_path):
    volume, directory = shared("env", "/run/akv-agent"), tmp_path / "env"
    # As the kubelet leaves an emptyDir of a pod with an fsGroup.
    os.chown(directory, 0, GROUP)
    directory.chmod(0o2777)
    also = [f"--group-add={GROUP}"]
    pod = pods.create()
    agent = pod.start("agent", AGENT, "sidecar", env=SETTINGS, volumes=[volume, mount.volume], also=also)
    eventually("readiness", lambda: agent.exec("akv-agent", "probe", "ready").returncode == 0)
    app = pod.start("app", APP, *APP_COMMAND, volumes=[f"{volume}:ro"], user=APP_USER, also=also)
    wait_for(app, 1, "ready", SECRET=OLD)
    assert_hardened(app, APP_USER)

    mount.write(ExamplePassword=NEW)
    env_file = directory / "app.env"
    eventually("the new file", lambda: NEW in env_file.read_text())
    # By nobody in the pod: the agent may not signal another user's process.
    app.signal("HUP")
    wait_for(app, 2, "reloaded", SECRET=NEW)
    now = env_file.stat()
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (NON_ROOT, GROUP, 0o440)


def test_an_app_without_the_group_does_not_read_it(pods, mount, shared):
    volume = shared("env", "/run/akv-agent")
    pod = pods.create()
    agent = pod.start("agent", AGENT, "sidecar", env=SETTINGS, volumes=[volume, mount.volume])
    eventually("readiness", lambda: agent.exec("akv-agent", "probe", "ready").returncode == 0)
    app = pod.start("app", APP, *APP_COMMAND, volumes=[f"{volume}:ro"], user=APP_USER)
    assert app.exit_code() != 0
    assert OLD not in app.output()
