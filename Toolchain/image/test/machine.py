"""A virtual board: QEMU's `virt` machine, emulated, started from UEFI firmware with an image as its card.

The network is QEMU's own (user mode): the guest sees the desk's loopback as HOST. Killing the process is the power cut.
"""

import contextlib
import ctypes
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

HOST = "10.0.2.22"  # as long as 127.0.0.1, see proxy.py
FIRMWARE = pathlib.Path("/usr/share/AAVMF")


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Machine:
    """A board with a card. `console` is what it has said on its serial line: (seconds since power-on, text)."""

    def __init__(self, directory, card, memory=1024):
        self.directory = pathlib.Path(directory)
        self.card = card
        self.memory = memory
        self.other_disk = []  # QEMU's options for one that the kernel finds first (foreign.py)
        # QEMU's options for the card; others can be put here (writes.py).
        self.disk = ["-drive", f"if=none,id=card,format=raw,file={card},cache=writeback"]
        self.process = None
        self.console = []
        self.news = threading.Condition()
        shutil.copy(FIRMWARE / "AAVMF_VARS.fd", self.directory / "variables")

    def start(self):
        for name in ("monitor", "agent"):
            (self.directory / name).unlink(missing_ok=True)
        self.console = []
        flash = "if=pflash,format=raw,unit={},file={}"
        command = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", str(self.memory)]
        command += ["-accel", "tcg,thread=multi", "-nodefaults", "-nographic", "-action", "watchdog=reset"]
        command += ["-drive", flash.format(0, FIRMWARE / "AAVMF_CODE.fd") + ",readonly=on"]
        command += ["-drive", flash.format(1, self.directory / "variables")]
        command += [*self.other_disk, *self.disk, "-device", "virtio-blk-pci,drive=card"]
        command += ["-netdev", f"user,id=net,host={HOST}", "-device", "virtio-net-pci,netdev=net,id=nic,romfile="]
        command += ["-device", "i6300esb", "-device", "virtio-rng-pci", "-serial", "stdio"]
        command += ["-chardev", f"socket,id=agent,path={self.directory}/agent,server=on,wait=off"]
        command += ["-device", "virtio-serial-pci", "-device", "virtconsole,chardev=agent"]
        command += ["-monitor", f"unix:{self.directory}/monitor,server=on,wait=off"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=die_with_parent
        )
        self.powered = time.monotonic()
        threading.Thread(target=self.listen, args=(self.process,), daemon=True).start()

    def listen(self, process):
        with (self.directory / "console").open("ab") as file:
            for line in process.stdout:
                file.write(line)
                file.flush()
                text = re.sub(r"\x1b\[[0-9;=?]*[A-Za-z]", "", line.decode("utf-8", "replace")).rstrip()
                with self.news:
                    self.console.append((time.monotonic() - self.powered, text))
                    self.news.notify_all()
        with self.news:
            self.news.notify_all()

    def wait(self, pattern, timeout=240, since=0):
        """The first line from the `since`-th on that has the pattern: (seconds since power-on, text)."""
        deadline = time.monotonic() + timeout
        with self.news:
            while True:
                for at, text in self.console[since:]:
                    if re.search(pattern, text):
                        return at, text
                if (left := deadline - time.monotonic()) <= 0 or self.process.poll() is not None:
                    tail = "\n".join(text for _, text in self.console[-15:])
                    raise TimeoutError(f"the console did not say {pattern!r} within {timeout} s; its end:\n{tail}")
                self.news.wait(min(left, 1))

    def said(self, pattern):
        return [text for _, text in self.console if re.search(pattern, text)]

    def monitor(self, command):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(str(self.directory / "monitor"))
            answer = b""
            for text in ("", command + "\n"):
                line.sendall(text.encode())
                while not answer.endswith(b"(qemu) "):
                    answer += line.recv(4096)
                answer = b"" if text == "" else answer
            return answer.decode()

    def unplug(self):
        self.monitor("set_link nic off")

    def plug(self):
        self.monitor("set_link nic on")

    def run(self, command, timeout=60):
        """What a command of the test image's root shell prints. Raises CalledProcessError when it fails."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(timeout)
            line.connect(str(self.directory / "agent"))
            line.sendall((command + "\n").encode())
            answer = b""
            while not (end := re.search(rb"(?:^|\n)agent: (\d+)\r?\n", answer)):
                answer += line.recv(65536)
        text = answer[: end.start()].decode("utf-8", "replace").replace("\r", "")
        if int(end[1]):
            raise subprocess.CalledProcessError(int(end[1]), command, text)
        return text.removeprefix("agent ready\n")

    def resident(self):
        """The gateway's memory, in MiB."""
        status = self.run("cat /proc/$(pidof camgate)/status")
        return int(re.search(r"^VmRSS:\s*(\d+) kB", status, re.MULTILINE)[1]) >> 10

    def cut_power(self):
        """SIGKILL: nothing is written any more."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    @contextlib.contextmanager
    def powered_on(self):
        self.start()
        try:
            yield self
        finally:
            self.cut_power()
