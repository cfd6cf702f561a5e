"""Starts programs of the test bench and talks to them."""

import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent


class Tool:
    """A program of the test bench, which lives as long as its standard input is open."""

    def __init__(self, name, *arguments):
        command = [HERE / "run", name, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while not (line := self.process.stdout.readline()).startswith("READY"):
            if not line:
                raise RuntimeError(f"{name} did not start")
        self.ready = json.loads(line[6:])

    def command(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        if (answer := self.process.stdout.readline().strip()) != "OK " + text:
            raise RuntimeError(answer)

    def end(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait()
