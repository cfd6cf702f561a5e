"""Kafka over TLS: camgate's frames reach a broker whose certificate is right, and none reaches any other."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys

import broker
from authorities import Certificates
from confluent_kafka import Consumer
from target import PATIENCE

PROXY = pathlib.Path(__file__).parents[2] / "testbed" / "proxy.py"
REFUSED = "certificate verify failed", "hostname mismatch", "IP address mismatch"


@contextlib.contextmanager
def tls_in_front_of(port, certificate, key):
    """A TLS server in front of a Kafka broker, on whose port its clients stay; gives its port."""
    command = [sys.executable, PROXY, str(port), "--kafka", "--certificate", certificate, "--key", key]
    # It ends when its standard input does.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield json.loads(process.stdout.readline().removeprefix(b"READY "))["port"]
        process.stdin.close()


def test(target, directory):
    """All cases with one broker; says how many frames were acknowledged over TLS."""
    certificates = Certificates(directory)
    kafka = broker.Broker(broker.free_port(), directory)
    kafka.start()
    try:
        kafka.create(["cameras:1"])
        right = certificates.server("IP:127.0.0.1")
        with tls_in_front_of(kafka.port, *right) as port:
            frames = deliver(target, kafka, port, certificates.right)
            refuse(target, port, certificates.wrong, "a wrong authority")
        with tls_in_front_of(kafka.port, *certificates.server("DNS:elsewhere.test")) as port:
            refuse(target, port, certificates.right, "a wrong name")
    finally:
        kafka.kill()
    return frames


def properties(authority):
    return {"security.protocol": "ssl", "ssl.ca.location": authority}


def deliver(target, kafka, port, authority):
    with target.gateway(f"127.0.0.1:{port}", properties(authority)) as gateway:
        reader = Consumer({"bootstrap.servers": kafka.address, "group.id": "g", "auto.offset.reset": "earliest"})
        reader.subscribe(["cameras"])
        frames = reader.consume(10, PATIENCE)
        reader.close()
        assert len(frames) == 10 and not any(frame.error() for frame in frames), f"{len(frames)} frames arrived"
        last = gateway.stop()
    assert "none left behind" in last, last
    return int(re.search(r"(\d+) acknowledged", last).group(1))


def refuse(target, port, authority, what):
    with target.gateway(f"127.0.0.1:{port}", properties(authority)) as gateway:
        line = gateway.wait_for(*REFUSED, "acknowledged")
        assert "verify failed" in line or "mismatch" in line, f"{what} was accepted: {line}"
        gateway.process.kill()
