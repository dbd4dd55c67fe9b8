"""Images out of Debian packages have what the programs need, and nothing else."""

import subprocess

from podman import HARDENED

NGINX = "localhost/nginx-alone:test"


def run(podman, image, *command, **options):
    return podman("run", "--rm", "--network=none", *HARDENED, image, *command, **options)


def test_a_program_finds_its_libraries_and_the_files_that_it_was_given(podman, debian, tmp_path):
    configuration = tmp_path / "more.conf"
    configuration.write_text("events {}\n")
    image = debian.image(
        NGINX,
        packages=["ngin?"],
        files={"/etc/own/nginx.conf": b"pid /dev/null;\ninclude more.conf;\n", "/etc/own/more.conf": configuration},
        user=4711,
        entrypoint=["/usr/sbin/nginx"],
    )
    done = run(podman, image, "-t", "-e", "stderr", "-c", "/etc/own/nginx.conf")
    assert "test is successful" in done.stderr
    assert podman("inspect", "--format", "{{.Config.User}}", image).stdout.strip() == "4711:4711"

    # Again it is the same image, and not built.
    before = podman("inspect", "--format", "{{.Id}}", image).stdout
    assert debian.image(NGINX, packages=["no-such-package"]) == image
    assert podman("inspect", "--format", "{{.Id}}", image).stdout == before


def test_an_image_has_no_shell_and_no_other_package(podman, debian, tmp_path):
    image = debian.image("localhost/debian-without:test", ["nginx"], entrypoint=["/bin/sh"], without=["sbin/*"])
    archive = tmp_path / "image.tar"
    name = podman("create", "--network=none", image).stdout.strip()
    podman("export", "--output", archive, name)
    podman("rm", name)
    listed = subprocess.run(["tar", "--list", "--file", archive], capture_output=True, text=True, check=True).stdout
    files = [line for line in listed.splitlines() if line.startswith(("usr/", "bin/", "etc/nginx"))]
    assert [line for line in files if not line.endswith("/")] == []
