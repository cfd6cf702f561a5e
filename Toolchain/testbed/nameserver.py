#!/usr/bin/env python3
"""A name server on 127.0.0.1 that knows the addresses of some names, and says of all others that there are none.

usage: nameserver.py NAME=ADDRESS...      in a network namespace of its own: the port is 53
"""

import json
import socket
import struct
import sys
import threading

PORT = 53


def serve(addresses):
    """Answers A queries in a thread of its own; there are no other records."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", PORT))
    threading.Thread(target=answer, args=[server, addresses], daemon=True).start()


def answer(server, addresses):
    while True:
        query, client = server.recvfrom(512)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
        address = addresses.get(".".join(labels).lower())
        record = b""
        if address and kind == 1:
            record = struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(address)
        head = query[:2] + struct.pack(">HHHHH", 0x8180 if address else 0x8183, 1, 1 if record else 0, 0, 0)
        server.sendto(head + query[12 : at + 5] + record, client)


if __name__ == "__main__":
    serve(dict(word.split("=") for word in sys.argv[1:]))
    print("READY " + json.dumps({"port": PORT}), flush=True)
    sys.stdin.read()
