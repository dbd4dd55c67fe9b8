"""Images of real programs, each from scratch and out of Debian packages, which scripts/fetch-debian has unpacked."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from podman import NON_ROOT

FILE = """
FROM scratch
COPY root /
USER {user}
ENTRYPOINT {entrypoint}
"""
# As the dynamic loader lists what it would load, and itself.
_LOADED = re.compile(r"(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)


class Debian:
    """What scripts/fetch-debian has unpacked, and the podman that gets images of it."""

    def __init__(self, podman, unpacked):
        self._podman = podman
        self.root = Path(unpacked).resolve() / "root"
        self._lists = self.root.parent / "lists"

    def image(self, tag, packages, files=None, user=NON_ROOT, entrypoint=(), without=()):
        """Builds the image, unless this test run has it, and gives its tag.

        It has the files of the `packages` (names, or patterns where a name has a version in it), the shared
        libraries that these load, and the `files` {path: bytes or Path}; nothing of other packages that they depend
        on, and not what is `without` by a pattern of paths, nor what only that would load.
        """
        if self._podman("image", "exists", tag, check=False).returncode == 0:
            return tag
        context = self._podman.directory / "debian"
        root = context / "root"
        root.mkdir(parents=True)
        try:
            paths = [path for path in self._paths(packages) if not any(map(path.match, without))]
            self._merge_usr(root)
            for path in paths:
                self._copy(path, root)
            for path in self._libraries(paths):
                self._copy_library(path, root)
            for path, content in (files or {}).items():
                _write(root / path.lstrip("/"), content)
            file = context / "Dockerfile"
            file.write_text(FILE.format(user=f"{user}:{user}", entrypoint=json.dumps(list(entrypoint))))
            self._podman("build", "--tag", tag, "--network=none", "--file", file, context)
        finally:
            shutil.rmtree(context)
        return tag

    def _paths(self, patterns):
        """The files of the packages, relative to the root and with every directory before what is in it."""
        for pattern in patterns:
            names = fnmatch.filter((entry.name for entry in self._lists.iterdir()), pattern)
            assert names, f"no package {pattern!r} is unpacked: it belongs into scripts/setup-tests"
            for name in names:
                yield from map(Path, (self._lists / name).read_text().splitlines())

    def _merge_usr(self, root):
        """/lib and the like, as they are in the packages' own root."""
        for link in filter(Path.is_symlink, self.root.iterdir()):
            (root / link.readlink()).mkdir(parents=True)
            (root / link.name).symlink_to(link.readlink())

    def _copy(self, path, root):
        source, target = self.root / path, root / path
        if source.is_dir() and not source.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copymode(source, target)
        # The list also names what was left out when the package was unpacked, and links lead here again.
        elif os.path.lexists(source) and not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)

    def _copy_library(self, path, root):
        """The name by which it is loaded is often a link, and then to another one."""
        self._copy(path, root)
        while (self.root / path).is_symlink():
            # An absolute one begins at the root of the tree.
            path = Path(str(path.parent / (self.root / path).readlink()).lstrip("/"))
            self._copy(path, root)

    def _libraries(self, paths):
        """What the programs and libraries among these files load, asked from the loader that will be in the image."""
        loader = next(self.root.glob("lib*/ld-linux*.so.*")).relative_to(self.root)
        found = set()
        for path in paths:
            if not _is_elf(self.root / path):
                continue
            command = ["chroot", self.root, f"/{loader}", "--list", f"/{path}"]
            listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
            assert "not found" not in listed, f"{path} needs more than its package depends on:\n{listed}"
            found.update(Path(library.lstrip("/")) for library in _LOADED.findall(listed))
        return sorted(found)


def _is_elf(file):
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def _write(target, content):
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copy(content, target)
    else:
        target.write_bytes(content)
        target.chmod(0o644)
