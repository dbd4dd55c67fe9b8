"""Moves to the process group of a child of its own, and then becomes the program that it is given."""

import os
import sys

read, write = os.pipe()
os.set_inheritable(write, True)
child = os.fork()
if child == 0:
    # Until the program has ended, which inherits the other end.
    os.close(write)
    os.read(read, 1)
    os._exit(0)
os.setpgid(child, child)
os.setpgid(0, child)
os.execvp(sys.argv[1], sys.argv[1:])
