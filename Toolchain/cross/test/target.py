"""A camgate to test: the board's binary under emulation, or the desk's own."""

import contextlib
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

PATIENCE = 120  # seconds until a text that must come counts as missing


class Target:
    def __init__(self, name, command):
        self.name = name
        self.command = command

    def run(self, *arguments, status=0):
        """Runs it to its end; returns standard output, seconds, and peak memory in MiB."""
        started = time.monotonic()
        process = subprocess.Popen(
            [*self.command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        errors = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        peaks = [0]
        watcher = threading.Thread(target=watch_memory, args=[process.pid, peaks])
        watcher.start()
        output = process.stdout.read()
        reader.join()
        assert process.wait() == status, f"exit {process.returncode}:\n{output}{errors[0]}"
        watcher.join()
        return output, time.monotonic() - started, max(peaks) / 1024

    def start(self, *arguments):
        return Running([*self.command, *arguments])

    def gateway(self, brokers, properties=()):
        """`camgate run` with a generated picture as its camera, and more properties of the Kafka client."""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
            lines = "".join(f"    {key}: {value}\n" for key, value in dict(properties).items())
            file.write(f"gateway: board\nkafka:\n  brokers: ['{brokers}']\n  properties:\n{lines or '    {}'}\n")
            file.write("cameras:\n  - {name: gate, url: 'test:320x240@10'}\nlog: {level: debug}\n")
        return self.start("run", file.name)


def watch_memory(pid, peaks):
    """Adds the peak of resident memory so far, in KiB, as long as the process lives. (What wait4(2) reports counts the
    parent's memory at the fork as well.)"""
    with contextlib.suppress(OSError):
        while match := re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()):
            peaks.append(int(match[1]))
            time.sleep(0.1)


class Running:
    """A process whose standard error is read as it comes. Ends with the `with` block."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def listen(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()

    def wait_for(self, *texts):
        """Waits until a line has one of the texts; returns that line."""

        def found():
            return next((line for line in self.lines if any(text in line for text in texts)), None)

        with self.news:
            assert self.news.wait_for(found, PATIENCE), f"no line with {texts} in:\n{''.join(self.lines)}"
            return found()

    def stop(self):
        """Asks it to stop and waits; returns its last line."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, "".join(self.lines)
        self.reader.join()
        return self.lines[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
