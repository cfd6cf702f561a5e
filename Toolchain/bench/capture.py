#!/usr/bin/env python3
"""What capturing costs: many RTSP cameras over TCP into a real broker, beside FFmpeg copying the same streams.

usage: capture.py [--cameras N] [--seconds N] [--sandbox] [--json]

`Toolchain/dev bench capture` sets CAMGATE.

Cameras (640x480, 30 fps, H.264, encoded beforehand) are served by GStreamer, the broker is noida-db. Both readers run
at the same time, so that whatever else the machine does meets both:
  camgate   `camgate run`, from the cameras to the broker's acknowledgements
  ffmpeg    `ffmpeg -c copy -f null -`: one process with all cameras as inputs, because Camgate is one process, too, and
            because that is the cheaper floor: what 16 processes each have (threads, timers, libraries) is paid once
With --sandbox a second gateway with `sandbox: off` takes the same streams to a topic of its own at the same time, and
what the sandbox costs is said.
CPU is user and system time of the process while everything streams; the opening of the streams is left out for both.
Memory is the largest RssAnon from the start to the end. Then the independent reader goes through the topic.
The table goes to standard error; with --json the last line of standard output is a JSON object. Ends non-zero when a
frame was lost, lay twice in the topic or out of order, or when a camera's rate was not kept.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

TESTBED = pathlib.Path(__file__).resolve().parent.parent / "testbed"
FPS = 30
PARTITIONS = 8
START_SECONDS = 60
STOP_SECONDS = 30
SAMPLE_SECONDS = 0.1
CPU_GOAL, MEMORY_GOAL = 1.5, 64
TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def cpu_seconds(process):
    """User and system time of a running process so far (proc_pid_stat(5), fields 14 and 15)."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def anonymous_bytes(process):
    """RssAnon of a process; 0 once it has ended."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


class MemoryWatch:
    """Samples RssAnon of processes from now to the end and keeps the peaks."""

    def __init__(self, *processes):
        self.peaks = dict.fromkeys(processes, 0)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()

    def sample(self):
        while not self.stopped.wait(SAMPLE_SECONDS):
            for process, peak in self.peaks.items():
                self.peaks[process] = max(peak, anonymous_bytes(process))

    def stop(self):
        self.stopped.set()
        self.thread.join()


class Bench:
    """The processes of one run; all end with it."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.names = [f"cam{index}" for index in range(options.cameras)]
        self.logs, self.progress = [], None
        self.processes = contextlib.ExitStack()

    def start(self, *command, **streams):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, **streams)
        self.processes.callback(end, process)
        return process

    def server(self, *arguments):
        """A server of the test bench, and what it says when it is ready."""
        process = self.start(TESTBED / "run", *arguments, stdout=subprocess.PIPE)
        line = process.stdout.readline()
        if not line.startswith(b"READY "):
            raise SystemExit(f"bench: {arguments[0]} did not start")
        return process, json.loads(line[6:])

    def start_gateway(self, urls, brokers, name="bench", topic="cameras", more=""):
        cameras = "".join(f"  - {{name: {camera}, url: '{url}'}}\n" for camera, url in urls.items())
        settings = self.directory / f"{name}.yaml"
        kafka = f"{{brokers: ['{brokers}'], topic: {topic}}}"
        settings.write_text(f"gateway: {name}\n{more}kafka: {kafka}\ncameras:\n{cameras}")
        self.logs.append(self.directory / f"{name}.log")
        with open(self.logs[-1], "w") as log:
            return self.start(os.environ["CAMGATE"], "run", settings, stderr=log)

    @property
    def log(self):
        return "\n".join(log.read_text() for log in self.logs)

    def start_ffmpeg(self, urls):
        inputs, outputs = [], []
        for index, name in enumerate(self.names):
            inputs += ["-rtsp_transport", "tcp", "-i", urls[name]]
            outputs += ["-map", f"{index}:v"]
        self.progress = self.directory / "ffmpeg.progress"
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-progress",
            self.progress,
            *inputs,
            *outputs,
            "-c",
            "copy",
            "-f",
            "null",
            "-",
        ]
        return self.start(*command, stdout=subprocess.DEVNULL)

    def wait_until_streaming(self, streams, *processes):
        """Waits for so many streams of gateways, and for FFmpeg, which opens its inputs one after another and reports
        only when all are open."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for process in processes:
                if process.poll() is not None:
                    raise SystemExit(f"bench: {process.args[0]} ended early\n{self.log}")
            is_copying = not self.progress or self.progress.exists() and self.progress.stat().st_size
            if is_copying and self.log.count(": streaming") >= streams:
                return
            time.sleep(SAMPLE_SECONDS)
        raise SystemExit(f"bench: not everything streams after {START_SECONDS} s\n{self.log}")

    def run(self):
        say(f"{self.options.cameras} cameras, a broker, camgate and ffmpeg")
        cameras, found = self.server("cameras", "--protocols", "tcp", f"cam*{self.options.cameras}=h264")
        broker, address = self.server("broker", *(f"--topic={topic}:{PARTITIONS}" for topic in ("cameras", "open")))
        gateway = self.start_gateway(found["urls"], address["brokers"])
        ffmpeg = self.start_ffmpeg(found["urls"])
        readers = [gateway, ffmpeg]
        if self.options.sandbox:
            readers.append(self.start_gateway(found["urls"], address["brokers"], "open", "open", "sandbox: off\n"))
        memory = MemoryWatch(*readers)
        self.wait_until_streaming(len(self.names) * len(self.logs), *readers)
        say(f"everything streams; measuring for {self.options.seconds} s")
        measured = (*readers, cameras)
        before, started = [cpu_seconds(process) for process in measured], time.monotonic()
        time.sleep(self.options.seconds)
        seconds = time.monotonic() - started
        used = [cpu_seconds(process) - first for process, first in zip(measured, before, strict=True)]
        for process in readers:
            process.terminate()
        statuses = [process.wait(STOP_SECONDS) for process in readers if process is not ffmpeg]
        memory.stop()
        if any(statuses):
            raise SystemExit(f"bench: camgate ended with {statuses}\n{self.log}")
        end(cameras)
        result = figures(seconds, used, [memory.peaks[process] for process in readers])
        return result | self.read(address["brokers"])

    def read(self, brokers):
        """What the independent reader found in the topic."""
        say("reading the topic, decoding every frame")
        frames = int(self.options.seconds * FPS * 0.99)
        command = [TESTBED / "run", "reader", "--brokers", brokers, "--gateway", "bench", "--frames", str(frames)]
        command += ["--timeout", "600", *(word for name in self.names for word in ("--camera", name))]
        reader = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        found = json.loads(reader.stdout.splitlines()[-1])
        return {
            "frames": found["frames"],
            "lost": found["lost"] + found["announced"],
            "twice": found["twice"] + found["repeated"],
            "problems": found["problems"],
        }


def end(process):
    """Test servers end with their standard input; the others are asked, then killed."""
    process.stdin.close()
    if process.args[0] != TESTBED / "run":
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def figures(seconds, used, peaks):
    (gateway, ffmpeg), cameras, unbound = used[:2], used[-1], used[2:-1]
    gateway_bytes, ffmpeg_bytes, *unbound_bytes = peaks
    found = {
        "cpu_ratio_copy": round(gateway / ffmpeg, 2),
        "rssanon_mib": round(gateway_bytes / 2**20, 1),
        "cpu_percent": round(100 * gateway / seconds, 1),
        "copy_cpu_percent": round(100 * ffmpeg / seconds, 1),
        "copy_rssanon_mib": round(ffmpeg_bytes / 2**20, 1),
        "serving_cpu_percent": round(100 * cameras / seconds, 1),
        "seconds": round(seconds, 1),
    }
    if unbound:
        found["unbound_cpu_percent"] = round(100 * unbound[0] / seconds, 1)
        found["unbound_rssanon_mib"] = round(unbound_bytes[0] / 2**20, 1)
        found["sandbox_cpu_ratio"] = round(gateway / unbound[0], 3)
    return found


def table(found):
    def verdict(value, goal):
        return f"goal {goal}: " + ("met" if value <= goal else "MISSED")

    rows = [
        ("", "camgate", "ffmpeg -c copy", ""),
        ("CPU, % of one core", found["cpu_percent"], found["copy_cpu_percent"], ""),
        ("CPU, ratio", found["cpu_ratio_copy"], "1", verdict(found["cpu_ratio_copy"], CPU_GOAL)),
        (
            "peak RssAnon, MiB",
            found["rssanon_mib"],
            found["copy_rssanon_mib"],
            verdict(found["rssanon_mib"], MEMORY_GOAL),
        ),
        ("frames in the topic", found["frames"], "", f"{found['lost']} lost, {found['twice']} twice"),
        ("the cameras' CPU, %", found["serving_cpu_percent"], "", ""),
    ]
    if "sandbox_cpu_ratio" in found:
        note = f"sandbox: off; with it {found['sandbox_cpu_ratio']} times the CPU"
        rows.append(("without a sandbox, CPU, %", found["unbound_cpu_percent"], "", note))
        rows.append(("peak RssAnon, MiB", found["unbound_rssanon_mib"], "", ""))
    for name, ours, theirs, note in rows:
        print(f"{name:22}{ours:>10}{theirs:>16}   {note}".rstrip(), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", default=16, type=int)
    parser.add_argument("--seconds", default=60, type=int)
    parser.add_argument("--sandbox", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="camgate-bench-") as directory:
        bench = Bench(options, directory)
        with bench.processes:
            found = bench.run()
    table(found)
    if options.json:
        print(json.dumps({"bench": "capture", "figures": found}))
    return 1 if found["problems"] or found["lost"] or found["twice"] else 0


if __name__ == "__main__":
    sys.exit(main())
