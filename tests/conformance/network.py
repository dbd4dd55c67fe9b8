"""A network of the tests' own: a loopback and nothing else.

Every port is free there, the well-known ones included, so vaults and token endpoints are where clients look
for them by default; names are what the tests say; and no server that listens on all addresses can be reached
from elsewhere, nor can anything get out.
"""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

# Where every virtual machine of Azure finds its metadata service.
IMDS_ADDRESS = "169.254.169.254"

# From <sched.h>, <sys/mount.h>, <linux/sockios.h> and <net/if.h>.
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
IFF_UP, IFF_LOOPBACK, IFF_RUNNING = 0x1, 0x8, 0x40

_libc = ctypes.CDLL(None, use_errno=True)


def enter(hosts: dict[str, list[str]], directory: Path):
    """Moves this process there for good; `hosts` has the names of each address. OSError if the kernel refuses."""
    user, group = os.geteuid(), os.getegid()
    namespaces = CLONE_NEWNET | CLONE_NEWNS | (CLONE_NEWUSER if user else 0)
    _check(_libc.unshare(namespaces))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        # What is started here is no root, not even here, and shall have the well-known ports all the same.
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags))
        for request, address in [(SIOCSIFADDR, IMDS_ADDRESS), (SIOCSIFNETMASK, "255.255.255.255")]:
            packed = struct.pack("16sHH4s16x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, request, packed)

    lines = ["127.0.0.1 localhost"] + [f"{address} {' '.join(names)}" for address, names in hosts.items()]
    file = directory / "hosts"
    file.write_text("\n".join(lines) + "\n")
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    _check(_libc.mount(os.fsencode(file), b"/etc/hosts", None, MS_BIND, None))


def _check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
