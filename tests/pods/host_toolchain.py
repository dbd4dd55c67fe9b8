"""An image with this machine's own compiler in it, so that the image can be built from source without a registry."""

import io
import subprocess
import tarfile
from pathlib import Path

IMAGE = "localhost/host-toolchain:test"
# Where the Dockerfile has its cache, as in the Rust images of the registries; the toolchain comes after it.
CARGO, TOOLCHAIN = "/usr/local/cargo", "/usr/local/toolchain"
# Mounted and not copied: hundreds of megabytes. Each on its own, because a cache lies below /usr too.
OF_THE_HOST = ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/include", "/usr/share", "/etc/alternatives", "/etc/ssl")
DIRECTORIES = ("tmp", *(path[1:] for path in (f"{CARGO}/bin", TOOLCHAIN, *OF_THE_HOST)))
DOCKERFILE = f"""
FROM scratch
ADD root.tar /
ENV PATH={CARGO}/bin:{TOOLCHAIN}/bin:/usr/bin CARGO_HOME={CARGO}
"""
# Stands in for minutes of compiling: what the Dockerfile does around it stays the same.
STAND_IN = f"""#!/bin/sh
mkdir -p "target/$CARGO_BUILD_TARGET/release"
cp {CARGO}/bin/built-before "target/$CARGO_BUILD_TARGET/release/akv-agent"
"""


def build(podman, directory, binary=None):
    """Builds the image; with `binary` its cargo gives that and compiles nothing."""
    directory.mkdir()
    with tarfile.open(directory / "root.tar", "w") as root:
        for name in DIRECTORIES:
            _add(root, name, tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        for name in ("bin", "lib", "lib64"):
            _add(root, name, tarfile.SYMTYPE, linkname=f"usr/{name}")
        if binary:
            _add(root, f"{CARGO[1:]}/bin/cargo", content=STAND_IN.encode())
            _add(root, f"{CARGO[1:]}/bin/built-before", content=Path(binary).read_bytes())
    (directory / "Dockerfile").write_text(DOCKERFILE)
    podman("build", "--tag", IMAGE, "--network=none", directory)


def options(network):
    """What a build with this image needs besides."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    volumes = [f"{path}:{path}:ro" for path in OF_THE_HOST if Path(path).exists()] + [f"{sysroot}:{TOOLCHAIN}:ro"]
    return [f"--build-arg=BUILD_IMAGE={IMAGE}", f"--network={network}", *(f"--volume={volume}" for volume in volumes)]


def _add(root, name, kind=tarfile.REGTYPE, mode=0o755, content=b"", linkname=""):
    item = tarfile.TarInfo(name)
    item.type, item.mode, item.size, item.linkname = kind, mode, len(content), linkname
    root.addfile(item, io.BytesIO(content))
