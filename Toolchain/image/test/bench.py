"""What a board needs around it: cameras and a broker on the desk's loopback, and settings on the card."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

TESTBED = pathlib.Path(__file__).parents[2] / "testbed"
sys.path.insert(0, str(TESTBED))

from campaign import Tool  # noqa: E402
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, TopicPartition  # noqa: E402
from machine import HOST  # noqa: E402

PARTITIONS = 4
MIB = 1 << 20
# Where partitions begin (image/boards/generic-arm64/board.sh).
CONFIG_OFFSET, DATA_OFFSET = 16 * MIB, (16 + 32 + 192) * MIB


class Bench:
    """Cameras `names` and a broker with the topic `cameras`, which a guest reaches as HOST."""

    def __init__(self, stack, cameras):
        self.directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="camgate-image-test-")))
        self.broker = Tool(stack, "broker", "--topic", f"cameras:{PARTITIONS}")
        self.proxy = Tool(stack, "proxy", self.broker.ready["port"], "--kafka", "--host", HOST)
        self.cameras = Tool(stack, "cameras", *(f"{name}={show}" for name, show in cameras.items()))
        self.urls = {name: url.replace("127.0.0.1", HOST) for name, url in self.cameras.ready["urls"].items()}

    def settings(self, names=None, more="", system=""):
        """A settings file for the board, with the cameras `names` of the bench, and more of them as YAML."""
        rows = [f"  - {{name: {name}, url: '{self.urls[name]}'}}" for name in names or self.urls]
        kafka = f"kafka: {{brokers: ['{HOST}:{self.proxy.ready['port']}']}}"
        buffer = "buffer: {directory: /data/ring}"
        return "\n".join(["gateway: board-1", kafka, buffer, "cameras:", *rows, more, system]) + "\n"

    def read(self, *arguments):
        """What the independent reader says of the topic: its summary, and what is wrong as text."""
        command = [TESTBED / "run", "reader", "--brokers", self.broker.ready["brokers"], "--timeout", "120", *arguments]
        reader = subprocess.run(command, capture_output=True, text=True, check=False)
        if not reader.stdout:
            raise RuntimeError(reader.stderr)
        return json.loads(reader.stdout.splitlines()[-1]), reader.stderr


class Tail:
    """The newest records of the topic, as they come."""

    def __init__(self, bench):
        self.consumer = Consumer(
            {"bootstrap.servers": bench.broker.ready["brokers"], "group.id": "tail", "enable.auto.commit": False}
        )
        self.consumer.assign([TopicPartition("cameras", number, OFFSET_END) for number in range(PARTITIONS)])
        self.consumer.poll(0.5)
        self.counts = {}

    def read(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self.consumer.poll(min(left, 0.2))
            if message is not None and not message.error():
                camera = message.key().decode().rpartition("/")[2]
                self.counts[camera] = self.counts.get(camera, 0) + 1

    def wait(self, cameras, frames, timeout):
        """Waits until each of the cameras has so many more records; the seconds that took."""
        started, wanted = time.monotonic(), {name: self.counts.get(name, 0) + frames for name in cameras}
        while any(self.counts.get(name, 0) < count for name, count in wanted.items()):
            if time.monotonic() - started > timeout:
                raise TimeoutError(f"after {timeout} s there are {self.counts}, wanted {wanted}")
            self.read(0.2)
        return time.monotonic() - started


def copy_sparse(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


def make_card(image, path, size):
    """A card with the image on it: a sparse file of `size` bytes."""
    copy_sparse(image, path)
    with open(path, "r+b") as card:
        card.truncate(size)


def on_config(card, *command, **options):
    """Runs an mtools command on the config partition of a card, as a laptop would write to it."""
    name, *arguments = command
    return subprocess.run([name, "-i", f"{card}@@{CONFIG_OFFSET}", *arguments], check=True, **options)


def write_settings(card, text, directory):
    """Puts a settings file on the card."""
    path = pathlib.Path(directory) / "camgate.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    on_config(card, "mcopy", "-o", str(path), "::camgate.yaml")


def check_data(card, directory):
    """Whether the data partition recovers as it would on the board: its file system (e2fsck), and the ring on it."""
    ring = pathlib.Path(directory) / "ring"
    subprocess.run(["rm", "-rf", ring], check=True)
    volume = f"{card}?offset={DATA_OFFSET}"
    checked = subprocess.run(["e2fsck", "-p", volume], capture_output=True, text=True, check=False)
    assert checked.returncode < 4, checked.stdout
    subprocess.run(["debugfs", "-R", f"rdump /ring {directory}", volume], capture_output=True, check=True)
    command = [os.environ["CAMGATE"], "ring", "verify", str(ring)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def losses(bench, cuts):
    """How many seconds of each (phase, time) of a power cut are missing in front of it."""
    client = Consumer(
        {"bootstrap.servers": bench.broker.ready["brokers"], "group.id": "losses", "enable.auto.commit": False}
    )
    client.assign([TopicPartition("cameras", number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
    times = []
    while (message := client.poll(10)) is not None:
        if not message.error():
            times.append(message.timestamp()[1] / 1000)
    return [(phase, cut - max(time for time in times if time < cut)) for phase, cut in cuts]


@contextlib.contextmanager
def on_desk(cameras):
    with contextlib.ExitStack() as stack:
        yield Bench(stack, cameras)
