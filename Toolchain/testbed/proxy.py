#!/usr/bin/env python3
"""A TCP proxy on 127.0.0.1 that misbehaves on command.

usage: proxy.py TARGET_PORT [--port N] [--kafka] [--advertise PORT] [--host NAME]
                [--certificate FILE --key FILE [--client-ca FILE]] [--sasl MECHANISM USER SECRET [--echo NAME...]]

--kafka rewrites the broker's port in its answers, so that clients, which go where the metadata says, stay on the proxy
(or on --advertise, where another proxy stands in front of this one); --host says by which name clients in a virtual
machine reach it, in as many characters as 127.0.0.1 has. With --certificate clients speak TLS to it, and show a
certificate by --client-ca if that is given. With --sasl they have to log in (sasl.py); with --echo a refusal repeats
what they sent, in each of these spellings (echo.py).
Prints `READY {"port": N}`. Ends when standard input ends.
Commands on standard input, each answered by a line `OK …` or `ERROR …`:
  pass             all normal again
  blackhole        stalls both ways, connections stay open
  eat              swallows what the server answers: requests arrive, acknowledgements do not
  cut              resets every connection and refuses new ones
  reset            resets every connection, accepts new ones
  halfopen         connections so far are stalled for ever, new ones are normal
  rate BYTES       bytes a second and direction, all connections together, 0 for unlimited
  corrupt BYTES    turns one bit over in every so many bytes, 0 for none
  delay MS         holds every chunk back for so long
"""

import argparse
import asyncio
import json
import socket
import ssl
import struct
import sys

import sasl

CHUNK = 1 << 16
LENGTH = struct.Struct(">I")
ANSWER_LIMIT = 1 << 16  # metadata is small; larger answers carry records, which are left alone


class Proxy:
    def __init__(self, target, kafka, advertised, host, login=None):
        self.login, self.echoes = login, []
        self.target = target
        self.host = host.encode()
        self.kafka = kafka
        self.advertised = advertised
        self.mode = "pass"
        self.rate = 0
        self.delay = 0.0
        self.corrupt = 0
        self.until_corruption = 0
        self.generation = 0
        self.links = {False: asyncio.Lock(), True: asyncio.Lock()}
        self.free = {False: 0.0, True: 0.0}  # when each direction of the link has carried what it took
        self.resumed = asyncio.Event()
        self.resumed.set()
        self.writers = set()

    def advertise(self, answer):
        """A Kafka answer with this proxy's port in place of the broker's."""
        if len(answer) > ANSWER_LIMIT:
            return answer
        there = self.host + LENGTH.pack(self.advertised)
        return answer.replace(b"127.0.0.1" + LENGTH.pack(self.target), there)

    async def read(self, reader, from_server):
        """The next piece to pass on: a chunk, or one whole Kafka answer."""
        if not (from_server and self.kafka):
            return await reader.read(CHUNK)
        head = await reader.readexactly(LENGTH.size)
        return head + self.advertise(await reader.readexactly(LENGTH.unpack(head)[0]))

    def damage(self, data):
        """The data with a bit turned over where it is due."""
        self.until_corruption -= len(data)
        if self.until_corruption > 0:
            return data
        self.until_corruption = self.corrupt
        damaged = bytearray(data)
        damaged[len(data) // 2] ^= 1
        return bytes(damaged)

    async def carry(self, data, writer, from_server):
        """Writes at the rate of the link, which all connections share."""
        step = min(CHUNK, max(1, self.rate // 8)) if self.rate else CHUNK
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            if self.rate:
                async with self.links[from_server]:
                    now = asyncio.get_running_loop().time()
                    # A busy machine sleeps too long; what it was late by, up to a tenth of a second, is made up for.
                    self.free[from_server] = max(self.free[from_server], now - 0.1) + len(piece) / (self.rate or 1e9)
                    await asyncio.sleep(max(0, self.free[from_server] - now))
            writer.write(piece)
            await writer.drain()

    async def pump(self, reader, writer, from_server):
        generation = self.generation
        try:
            while data := await self.read(reader, from_server):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self.resumed.wait()
                while generation < self.generation:
                    await asyncio.sleep(3600)
                if from_server and self.mode == "eat":
                    continue
                await self.carry(self.damage(data) if self.corrupt else data, writer, from_server)
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
        if self.login and not await self.logs_in(reader, writer, server_reader, server_writer):
            self.writers -= both
            server_writer.close()
            return writer.close()
        await asyncio.gather(
            self.pump(reader, server_writer, from_server=False), self.pump(server_reader, writer, from_server=True)
        )
        self.writers -= both

    async def logs_in(self, *connections):
        try:
            return await sasl.log_in(self.login, self.echoes, *connections)
        except (OSError, asyncio.IncompleteReadError):
            return False

    def obey(self, line):
        verb, *arguments = line.split() or [""]
        try:
            if verb in ("pass", "blackhole", "eat", "cut"):
                self.mode = verb
                if verb == "pass":
                    self.rate, self.delay, self.corrupt = 0, 0.0, 0
                self.resumed.clear() if verb == "blackhole" else self.resumed.set()
            elif verb == "rate":
                self.rate = int(arguments[0])
            elif verb == "corrupt":
                self.corrupt = self.until_corruption = int(arguments[0])
            elif verb == "halfopen":
                self.generation += 1
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


def tls(options):
    """The server's side of TLS; None when it is not asked for."""
    if not options.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    if options.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(options.client_ca)
    return context


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=int)
    parser.add_argument("--port", default=0, type=int)
    parser.add_argument("--kafka", action="store_true")
    parser.add_argument("--advertise", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--client-ca")
    parser.add_argument("--sasl", nargs=3)
    parser.add_argument("--echo", nargs="+", default=[])
    options = parser.parse_args()
    if len(options.host) != len("127.0.0.1"):
        parser.error("--host must have nine characters")
    proxy = Proxy(options.target, options.kafka, options.advertise, options.host, options.sasl)
    proxy.echoes = options.echo
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", options.port, ssl=tls(options))
    port = server.sockets[0].getsockname()[1]
    proxy.advertised = proxy.advertised or port
    print("READY " + json.dumps({"port": port}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(proxy.obey(line), flush=True)
    for writer in proxy.writers:
        reset(writer)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
