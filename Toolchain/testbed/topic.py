"""Reading a whole topic with confluent-kafka, from its beginning, without a consumer group."""

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition


class Topic:
    """The messages of a topic. Iterates up to the present end, or with `follow` for ever."""

    def __init__(self, brokers, name, follow=False, timeout=60):
        self.follow = follow
        self.timeout = timeout
        self.consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": "reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 2,
                # noida puts whole partitions into one response, whatever it was asked for.
                "receive.message.max.bytes": 2_000_000_000,
            }
        )
        found = self.consumer.list_topics(name, timeout=timeout).topics[name]
        if found.error:
            raise KafkaException(found.error)
        self.partitions = len(found.partitions)
        self.consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for number in found.partitions])

    def __iter__(self):
        """Raises TimeoutError when nothing that was asked for came within the timeout."""
        deadline, ended = time.monotonic() + self.timeout, set()
        while self.follow or len(ended) < self.partitions:
            message = self.consumer.poll(1)
            if message is None:
                pass
            elif message.error() is None:
                yield message
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            elif message.error().fatal():
                raise KafkaException(message.error())
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done after {self.timeout} s")
