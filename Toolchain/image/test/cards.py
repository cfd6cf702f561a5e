"""Cards with the images on them, and boards to put them into."""

import contextlib
import pathlib
import subprocess
import tempfile

import bench
from machine import Machine

GIB = 1 << 30


class Cards:
    """The images, unpacked, and a place for cards."""

    def __init__(self, stack, image, test_image):
        self.directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="camgate-cards-")))
        self.packed = {"image": image, "test": test_image}

    def image(self, kind="image"):
        path = self.directory / f"{kind}.img"
        if not path.exists():
            with path.open("wb") as output:
                subprocess.run(["xz", "-dc", self.packed[kind]], stdout=output, check=True)
        return path

    @contextlib.contextmanager
    def board(self, settings=None, kind="image", size=2 * GIB, memory=1024):
        """A board with a fresh card, switched off."""
        with tempfile.TemporaryDirectory(prefix="camgate-board-", dir=self.directory) as directory:
            card = pathlib.Path(directory) / "card"
            bench.make_card(self.image(kind), card, size)
            if settings:
                bench.write_settings(card, settings, directory)
            machine = Machine(directory, card, memory)
            try:
                yield machine
            finally:
                machine.cut_power()
