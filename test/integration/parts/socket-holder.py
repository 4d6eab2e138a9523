# What systemd does for a service with socket units, and no more: opens the sockets, keeps them, and starts the program again and again
# with LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.
#
#   socket-holder.py NAME:stream NAME:datagram … -- PROGRAM ARGUMENT…
#
# Prints "ports {NAME: port}"; a line on standard input starts the program ("started PID"), its end is printed as "ended STATUS".
# The end of standard input ends this process.

import json
import os
import socket
import sys

FIRST = 3
at = sys.argv.index("--")
wanted, command = sys.argv[1:at], sys.argv[at + 1 :]
names, sockets, ports = [], [], {}
for word in wanted:
    name, kind = word.split(":")
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
    held.bind(("127.0.0.1", ports.get(name, 0)))
    if kind == "stream":
        held.listen(128)
    ports[name] = held.getsockname()[1]
    names.append(name)
    sockets.append(held)
print("ports", json.dumps(ports), flush=True)

while sys.stdin.readline():
    pid = os.fork()
    if pid == 0:
        # First out of the way, so that none is overwritten before it is in its place.
        moved = [os.dup2(held.fileno(), 100 + i) for i, held in enumerate(sockets)]
        for i, descriptor in enumerate(moved):
            os.dup2(descriptor, FIRST + i)
            os.close(descriptor)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
        os.execvp(command[0], command)
    print("started", pid, flush=True)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
