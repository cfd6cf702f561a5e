"""Kafka over TLS: camgate's frames reach a broker whose certificate is right, and none reaches any other."""

import asyncio
import contextlib
import re
import ssl
import threading

import broker
import proxy
from authorities import Certificates
from confluent_kafka import Consumer
from target import PATIENCE

REFUSED = "certificate verify failed", "hostname mismatch", "IP address mismatch"


@contextlib.contextmanager
def tls_in_front_of(port, certificate, key):
    """A TLS server in front of a Kafka broker, on whose port its clients stay; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    relay = proxy.Proxy(port, kafka=True)

    async def serve():
        server = await asyncio.start_server(relay.accept, "127.0.0.1", 0, ssl=context)
        relay.port = server.sockets[0].getsockname()[1]

    loop.set_exception_handler(lambda *_: None)  # refused handshakes are what is tested
    loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield relay.port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


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
