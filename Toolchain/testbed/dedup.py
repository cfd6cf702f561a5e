#!/usr/bin/env python3
"""Whether a broker removes the duplicates of an idempotent producer's retries.

usage: dedup.py --brokers HOST:PORT [--messages N] [--faults N]

Sends the same stream twice through a proxy that swallows answers and resets connections, so that the producer sends
again what the broker has already: once with idempotence, and once without, which must double something, or the faults
were none. Last line on standard output: a JSON object; ends 0 when the broker removes duplicates, 1 when it does not.
"""

import argparse
import json
import sys
import threading
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tool import Tool


def send(address, topic, options, idempotent):
    """Sends numbered messages while the proxy swallows answers now and then."""
    proxy = Tool("proxy", address.rpartition(":")[2], "--kafka")
    try:
        producer = Producer(
            {
                "bootstrap.servers": f"127.0.0.1:{proxy.ready['port']}",
                "enable.idempotence": idempotent,
                "acks": "all",
                "linger.ms": 1,
                "message.timeout.ms": 0,
                "retry.backoff.ms": 20,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,
            }
        )
        faults = threading.Thread(target=disturb, args=(proxy, options.faults))
        faults.start()
        for number in range(options.messages):
            producer.produce(topic, str(number).encode() + b" " * 1000, partition=0)
            producer.poll(0)
            time.sleep(0.7 * options.faults / options.messages)
        faults.join()
        if left := producer.flush(60):
            raise RuntimeError(f"{left} messages were not acknowledged")
    finally:
        proxy.end()


def disturb(proxy, count):
    for _ in range(count):
        time.sleep(0.5)
        proxy.command("eat")
        time.sleep(0.15)
        proxy.command("reset")
        proxy.command("pass")


def read(address, topic):
    """All numbers in the topic."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": str(uuid.uuid4()), "log_level": 0})
    end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]
    consumer.assign([TopicPartition(topic, 0, 0)])
    numbers, deadline = [], time.monotonic() + 60
    while len(numbers) < end and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and not message.error():
            numbers.append(int(message.value()))
    consumer.close()
    return numbers


def measure(options, idempotent):
    topic = f"dedup-{uuid.uuid4().hex[:8]}"
    client = AdminClient({"bootstrap.servers": options.brokers})
    client.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    send(options.brokers, topic, options, idempotent)
    numbers = read(options.brokers, topic)
    return {
        "records": len(numbers),
        "lost": options.messages - len(set(numbers)),
        "doubled": len(numbers) - len(set(numbers)),
        "in_order": numbers == sorted(numbers),
    }


def check(brokers, messages=600, faults=8):
    """What became of both streams, and whether the broker removes duplicates."""
    options = argparse.Namespace(brokers=brokers, messages=messages, faults=faults)
    idempotent, control = measure(options, True), measure(options, False)
    removes = not idempotent["doubled"] and not idempotent["lost"] and idempotent["in_order"]
    return {"removes": removes and control["doubled"] > 0, "idempotent": idempotent, "control": control}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--messages", default=600, type=int)
    parser.add_argument("--faults", default=8, type=int)
    options = parser.parse_args()
    outcome = check(options.brokers, options.messages, options.faults)
    print(json.dumps(outcome))
    return 0 if outcome["removes"] else 1


if __name__ == "__main__":
    sys.exit(main())
