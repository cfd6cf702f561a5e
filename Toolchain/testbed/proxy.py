#!/usr/bin/env python3
"""A TCP proxy on 127.0.0.1 that misbehaves on command.

usage: proxy.py TARGET_PORT [--port N] [--kafka]

--kafka rewrites the broker's port in its answers, so that clients, which go where the metadata says, stay on the proxy.
Prints `READY {"port": N}`. Ends when standard input ends.
Commands on standard input, each answered by a line `OK …` or `ERROR …`:
  pass             all normal again
  blackhole        stalls both ways, connections stay open
  eat              swallows what the server answers: requests arrive, acknowledgements do not
  cut              resets every connection and refuses new ones
  reset            resets every connection, accepts new ones
  rate BYTES       bytes a second and direction, 0 for unlimited
  delay MS         holds every chunk back for so long
"""

import argparse
import asyncio
import json
import socket
import struct
import sys

CHUNK = 1 << 16
LENGTH = struct.Struct(">I")
ANSWER_LIMIT = 1 << 16  # metadata is small; larger answers carry records, which are left alone


class Proxy:
    def __init__(self, target, kafka):
        self.target = target
        self.kafka = kafka
        self.port = 0
        self.mode = "pass"
        self.rate = 0
        self.delay = 0.0
        self.resumed = asyncio.Event()
        self.resumed.set()
        self.writers = set()

    def advertise(self, answer):
        """A Kafka answer with this proxy's port in place of the broker's."""
        if len(answer) > ANSWER_LIMIT:
            return answer
        return answer.replace(b"127.0.0.1" + LENGTH.pack(self.target), b"127.0.0.1" + LENGTH.pack(self.port))

    async def read(self, reader, from_server):
        """The next piece to pass on: a chunk, or one whole Kafka answer."""
        if not (from_server and self.kafka):
            return await reader.read(CHUNK)
        head = await reader.readexactly(LENGTH.size)
        return head + self.advertise(await reader.readexactly(LENGTH.unpack(head)[0]))

    async def pump(self, reader, writer, from_server):
        try:
            while data := await self.read(reader, from_server):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self.resumed.wait()
                if from_server and self.mode == "eat":
                    continue
                for at in range(0, len(data), CHUNK):
                    piece = data[at : at + CHUNK]
                    if self.rate:
                        await asyncio.sleep(len(piece) / self.rate)
                    writer.write(piece)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def accept(self, reader, writer):
        if self.mode == "cut":
            return reset(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return reset(writer)
        both = {writer, server_writer}
        self.writers |= both
        await asyncio.gather(
            self.pump(reader, server_writer, from_server=False), self.pump(server_reader, writer, from_server=True)
        )
        self.writers -= both

    def obey(self, line):
        verb, *arguments = line.split() or [""]
        try:
            if verb in ("pass", "blackhole", "eat", "cut"):
                self.mode = verb
                if verb == "pass":
                    self.rate, self.delay = 0, 0.0
                self.resumed.clear() if verb == "blackhole" else self.resumed.set()
            elif verb == "rate":
                self.rate = int(arguments[0])
            elif verb == "delay":
                self.delay = int(arguments[0]) / 1000
            elif verb != "reset":
                raise ValueError("no such command")
            if verb in ("cut", "reset"):
                for writer in self.writers:
                    reset(writer)
        except (ValueError, IndexError) as error:
            return f"ERROR {line.strip()}: {error}"
        return f"OK {line.strip()}"


def reset(writer):
    """Closes with RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    if connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=int)
    parser.add_argument("--port", default=0, type=int)
    parser.add_argument("--kafka", action="store_true")
    options = parser.parse_args()
    proxy = Proxy(options.target, options.kafka)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", options.port)
    proxy.port = server.sockets[0].getsockname()[1]
    print("READY " + json.dumps({"port": proxy.port}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(proxy.obey(line), flush=True)
    for writer in proxy.writers:
        reset(writer)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
