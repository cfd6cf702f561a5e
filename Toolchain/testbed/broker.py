#!/usr/bin/env python3
"""A Kafka broker (noida-db) on a free port of 127.0.0.1, its data in a temporary directory that goes with it.

usage: broker.py [--port N] [--topic NAME:PARTITIONS[:MAX_MESSAGE_BYTES]]...

Prints `READY {"brokers": "127.0.0.1:N", "port": N}`. Ends when standard input ends, so it never outlives its parent.
Commands on standard input, each answered by a line `OK …` or `ERROR …`:
  pause      freezes it (SIGSTOP): connections stay, nothing is answered     continue   lets it go on
  kill       SIGKILL                                                         start      starts it again on the same port
Beware: noida forgets idempotent producers when it restarts, and loses a few acknowledged messages with SIGKILL. Count
losses over `pause`, or through proxy.py; use `kill` only to show that the gateway survives it.
"""

import argparse
import ctypes
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import noida_db
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

PR_SET_PDEATHSIG = 1
START_SECONDS = 30


def free_port():
    """A port nobody listens on now. Another process may take it before the broker does: then it fails, loudly."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Broker:
    """The noida-db process."""

    def __init__(self, port, directory):
        self.port = port
        self.directory = pathlib.Path(directory)
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        """Starts it and returns once it answers; raises RuntimeError when it does not."""
        # The binary itself: the package's own script starts it as a child, which would survive a signal to the script.
        program = pathlib.Path(noida_db.__file__).parent / "noida-db"
        program.chmod(0o755)  # the wheel forgets it
        data, log = self.directory / "data", self.directory / "log"
        command = [program, "start", "--only", "kafka", "--host", "127.0.0.1", "--kafka-port", str(self.port)]
        with open(log, "a") as output:
            self.process = subprocess.Popen(
                [*command, "--data-dir", data],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                preexec_fn=die_with_parent,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=1)
                return
            except KafkaException:
                continue
        raise RuntimeError(f"noida-db did not start: {log.read_text()}")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def create(self, topics):
        """Creates topics given as `NAME:PARTITIONS[:MAX_MESSAGE_BYTES]`."""
        new = []
        for name, partitions, *limit in (text.split(":") for text in topics):
            config = {"max.message.bytes": limit[0]} if limit else {}
            new.append(NewTopic(name, int(partitions), 1, config=config))
        if new:
            client = AdminClient({"bootstrap.servers": self.address})
            for future in client.create_topics(new).values():
                future.result(10)

    def obey(self, verb):
        actions = {
            "pause": lambda: self.signal(signal.SIGSTOP),
            "continue": lambda: self.signal(signal.SIGCONT),
            "kill": self.kill,
            "start": self.start,
        }
        if verb not in actions:
            return f"ERROR no command {verb!r}"
        try:
            actions[verb]()
        except (OSError, RuntimeError) as error:
            return f"ERROR {verb}: {error}"
        return f"OK {verb}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", default=0, type=int)
    parser.add_argument("--topic", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="camgate-broker-", ignore_cleanup_errors=True) as directory:
        broker = Broker(options.port or free_port(), directory)
        try:
            broker.start()
            broker.create(options.topic)
            print("READY " + json.dumps({"brokers": broker.address, "port": broker.port}), flush=True)
            for line in sys.stdin:
                print(broker.obey(line.strip()), flush=True)
        finally:
            broker.kill()


if __name__ == "__main__":
    main()
