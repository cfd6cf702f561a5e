#!/usr/bin/env python3
"""Names, resolved by a static binary. Run by itself in namespaces of its own, so that /etc and port 53 are its to give:

usage: unshare --net --mount names.py COMMAND...      COMMAND runs camgate

The hosts file knows one name, a DNS server on 127.0.0.1 another, and nobody a third. Camgate is told to find its broker
by each; whether it did is seen by who connects to an address that only the right answer leads to.
"""

import fcntl
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "testbed"))

import nameserver  # noqa: E402
from target import Target  # noqa: E402

HOSTS, DNS, UNKNOWN = "broker.hosts.test", "broker.dns.test", "broker.nowhere.test"
HOSTS_ADDRESS, DNS_ADDRESS = "127.0.0.11", "127.0.0.12"
PORT = 9092
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def loopback_up():
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def put(path, text, directory):
    """Lays a file of our own over one of the system's, in this mount namespace only."""
    own = pathlib.Path(directory) / pathlib.Path(path).name
    own.write_text(text)
    subprocess.run(["mount", "--bind", own, path], check=True)


def connects(target, name, address):
    """Does camgate, told of the broker `name`, connect to `address`?"""
    with socket.create_server((address, PORT)) as listener:
        listener.settimeout(60)
        with target.start("consume", "--brokers", f"{name}:{PORT}", "--group", "g"):
            listener.accept()[0].close()


def main():
    target = Target("", sys.argv[1:])
    loopback_up()
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    with tempfile.TemporaryDirectory() as directory:
        put("/etc/hosts", f"127.0.0.1 localhost\n{HOSTS_ADDRESS} {HOSTS}\n", directory)
        put("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", directory)
        nameserver.serve({DNS: DNS_ADDRESS})
        connects(target, HOSTS, HOSTS_ADDRESS)
        connects(target, DNS, DNS_ADDRESS)
        with target.start("consume", "--brokers", f"{UNKNOWN}:{PORT}", "--group", "g") as running:
            running.wait_for("Failed to resolve", "_RESOLVE")
    print("ok")


if __name__ == "__main__":
    main()
