"""What the image promises, each as a case that boots it.

usage: cases.py IMAGE.img.xz TEST_IMAGE.img.xz [--long] [--seed N] [CASE...]

A table goes to standard error, one JSON line with the figures to standard output; ends 0 only when all cases hold.
"""

import argparse
import contextlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import traceback

import bench
import writes
from machine import Machine

GIB = 1 << 30
PATIENCE = 600  # seconds for a start under emulation, also on a busy desk


class Context:
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


def part(machine, pattern):
    return round(machine.wait(pattern, PATIENCE)[0], 1)


def case_boot(context):
    """From power-on to the first acknowledged frame, in parts; the uplink is cut and restored: nothing is lost."""
    outage = 180 if context.is_long else 60
    with bench.on_desk({"gate": "h264"}) as desk, context.board(desk.settings()) as board:
        tail = bench.Tail(desk)
        board.start()
        figures = {
            "kernel_s": part(board, r"camgate image "),
            "grown_s": part(board, r"system: data: "),
            "system_s": part(board, r"system: started as "),
            "gateway_s": part(board, r"camgate [0-9.]+, gateway"),
            "camera_s": part(board, r"camera gate: streaming"),
        }
        tail.wait(["gate"], 1, PATIENCE)
        figures["first_record_s"] = round(time.monotonic() - board.powered, 1)
        tail.wait(["gate"], 300, PATIENCE)
        # The cable to the cameras stays: only the way to Kafka is cut.
        desk.proxy.command("cut")
        tail.read(outage)
        desk.proxy.command("pass")
        figures["back_after_s"] = round(tail.wait(["gate"], 30, PATIENCE), 1)
        tail.wait(["gate"], 30 * outage // 2, PATIENCE)
        summary, problems = desk.read("--camera", "gate")
        figures |= {name: summary[name] for name in ("frames", "lost", "repeated", "twice", "gaps")}
        assert summary["ok"], problems
        return figures


def case_settings(context):
    """The file is edited as on a laptop: a new camera is there after the next start; with a broken file, or none, the
    errors are said and the last good one runs; line ends of Windows are fine."""
    with bench.on_desk({"gate": "h264", "yard": "mjpeg"}) as desk:
        good = desk.settings(["gate"])
        with context.board(b"\xef\xbb\xbf" + good.replace("\n", "\r\n").encode()) as board:
            tail = bench.Tail(desk)
            with board.powered_on():
                tail.wait(["gate"], 30, PATIENCE)
            bench.write_settings(board.card, desk.settings(), board.directory)
            with board.powered_on():
                tail.wait(["gate", "yard"], 30, PATIENCE)
            broken = desk.settings() + "kafka_brokers: [nowhere]\n"
            bench.write_settings(board.card, broken, board.directory)
            with board.powered_on():
                board.wait(r"camgate.yaml:\d+:1: error: unknown key 'kafka_brokers'", PATIENCE)
                board.wait(r"the last good ones are used", 60)
                tail.wait(["gate", "yard"], 30, PATIENCE)
            bench.on_config(board.card, "mdel", "::camgate.yaml")
            with board.powered_on():
                board.wait(r"there is no camgate.yaml", PATIENCE)
                tail.wait(["gate", "yard"], 30, PATIENCE)
            return {"starts": 4}


def case_cards(context):
    """Cards of 2 and of 64 GB: the data partition is grown to them, also when the power is cut meanwhile."""
    found = {}
    for size, cuts in ((2_000_000_000, 1), (64_000_000_000, 2)):
        with context.board(size=size) as board:
            for cut in range(cuts):
                with board.powered_on():
                    board.wait(r"the data partition grows|data: ", PATIENCE)
                    time.sleep(cut * 0.3)
            with board.powered_on():
                _, text = board.wait(r"system: data: /dev", PATIENCE)
                board.wait(r"system: started as camgate-", 120)
            found[f"{size // 10**9}_gb"] = text.split("data: ")[1].split()[1]
            assert not board.said("beyond repair"), board.console
    return found


def case_devices(context):
    """The kernel's virtual camera, by path and by identity, YUYV to JPEG; its driver is taken away while it streams."""
    link = "/dev/v4l/by-path/platform-vivid.0-video-index0"
    cameras = "".join(
        f"  - {{name: {name}, device: {device}, format: yuyv 320x180}}\n"
        for name, device in (("by-node", "/dev/video0"), ("by-link", link))
    )
    with bench.on_desk({"gate": "h264"}) as desk:
        one = [row for row in cameras.splitlines() if "by-link" in row][0]
        with context.board(desk.settings(more=one), kind="test") as board, board.powered_on():
            tail = bench.Tail(desk)
            tail.wait(["gate", "by-link"], 30, PATIENCE)
            driver = "/sys/bus/platform/drivers/vivid"
            board.run(f"echo vivid.0 >{driver}/unbind")
            board.wait(r"camera by-link: the camera is gone", 60)
            tail.wait(["gate"], 60, PATIENCE)
            board.run(f"echo vivid.0 >{driver}/bind")
            tail.wait(["by-link"], 30, PATIENCE)
            rights = board.run("ls -l /dev/video0 /dev/watchdog; ls -ld /config /data/ring; df /config | tail -n 1")
            user = board.run("cat /proc/$(pidof camgate)/status | grep -E '^(Uid|CapEff)'")
            summary, problems = desk.read("--gaps", "camera,network", "--skip", "counter")
            assert summary["ok"], problems
            return {"frames": summary["frames"], "user": user.split(), "rights": rights.splitlines()}


def case_watchdog(context):
    """A gateway that hangs is reset by the watchdog, and captures again afterwards."""
    with contextlib.ExitStack() as stack:
        desk = stack.enter_context(bench.on_desk({"gate": "h264"}))
        board = stack.enter_context(context.board(desk.settings(), kind="test"))
        stack.enter_context(board.powered_on())
        tail = bench.Tail(desk)
        tail.wait(["gate"], 30, PATIENCE)
        board.run("kill -STOP $(pidof camgate)")
        stopped, seen = time.monotonic(), len(board.console)
        board.wait(r"camgate image ", PATIENCE, since=seen)
        figures = {"reset_and_back_s": round(time.monotonic() - stopped, 1)}
        tail.wait(["gate"], 30, PATIENCE)
        return figures


def case_memory(context):
    """What four cameras need of the board's memory."""
    with contextlib.ExitStack() as stack:
        desk = stack.enter_context(bench.on_desk({"gate*4": "h264"}))
        board = stack.enter_context(context.board(desk.settings(), kind="test"))
        stack.enter_context(board.powered_on())
        tail = bench.Tail(desk)
        tail.wait([f"gate{number}" for number in range(4)], 900, PATIENCE)
        rows = dict(line.split(":") for line in board.run("cat /proc/meminfo").splitlines() if ":" in line)
        kib = {name: int(text.split()[0]) for name, text in rows.items()}
        used = (kib["MemTotal"] - kib["MemAvailable"]) >> 10
        status = board.run("cat /proc/$(pidof camgate)/status")
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) >> 10
        return {"used_mib": used, "gateway_mib": resident, "root_mib": kib["Shmem"] >> 10}


def case_power(context):
    """The power is cut at random moments: growing, healthy, in an outage, catching up. Every start succeeds, the ring
    is sound, nothing is there twice, and what is missing is announced and no more than what waited for the disk."""
    choice, cuts = random.Random(context.seed), []
    for _ in range(5):
        with context.board() as board, board.powered_on():
            board.wait(r"camgate image ", PATIENCE)
            time.sleep(choice.uniform(0, 4))
            board.cut_power()
            board.start()
            board.wait(r"system: started as ", PATIENCE)
            assert not board.said("beyond repair"), board.console
    with bench.on_desk({"gate": "h264"}) as desk, context.board(desk.settings(), kind="test") as board:
        tail = bench.Tail(desk)
        for phase in ["healthy", "outage", "catching up"] * 5:
            board.start()
            tail.wait(["gate"], 30, PATIENCE)
            if phase != "healthy":
                board.unplug()
                tail.read(choice.uniform(10, 40))
            if phase == "catching up":
                board.plug()
                tail.wait(["gate"], 1, PATIENCE)
            tail.read(choice.uniform(0, 8))
            board.cut_power()
            cuts.append((phase, time.time()))
        board.start()
        tail.wait(["gate"], 300, PATIENCE)
        board.run("camgate ring verify /data/ring")
        summary, problems = desk.read("--camera", "gate", "--gaps", "network,restart,camera", "--skip", "decode")
        assert summary["ok"], problems
        losses = bench.losses(desk, cuts)
        assert max(seconds for _, seconds in losses) < 8, losses
        return {
            "cuts": 5 + len(cuts),
            "worst_loss_s": worst(losses),
            "frames": summary["frames"],
            "gaps": summary["gaps"],
        }


def worst(losses):
    """The largest loss of each phase."""
    return {phase: max(round(seconds, 1) for name, seconds in losses if name == phase) for phase, _ in losses}


def case_writes(context):
    """What was written since the last flush is partly there and partly not: the file system and the ring recover."""
    with bench.on_desk({"gate": "h264"}) as desk, context.board(desk.settings()) as board:
        base, log = board.directory / "base", board.directory / "writes"
        tail = bench.Tail(desk)
        with board.powered_on():
            tail.wait(["gate"], 30, PATIENCE)
        board.card.rename(base)
        bench.copy_sparse(base, board.card)
        log.touch()
        plain, board.disk = board.disk, writes.options(board.card, log)
        with board.powered_on():
            tail.wait(["gate"], 30, PATIENCE)
            board.unplug()
            tail.read(60)
            board.plug()
            tail.wait(["gate"], 1500, PATIENCE)
        record, rounds = writes.Record(log), 100 if context.is_long else 20
        board.disk = plain
        for number in range(rounds):
            told = record.replay(base, board.card, context.seed + number)
            bench.check_data(board.card, board.directory)
            print(f"image-test: writes: {told}: sound", file=sys.stderr, flush=True)
            if number % 10 == 0:
                with board.powered_on():
                    tail.wait(["gate"], 30, PATIENCE)
                    assert not board.said("beyond repair"), board.console
        return {"replays": rounds, "writes": len(record.entries)}


SHORT = ["boot", "settings", "cards", "devices", "watchdog", "memory"]
LONG = ["power", "writes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("test_image")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    results, failed = {}, []
    with contextlib.ExitStack() as stack:
        context = Context(stack, options.image, options.test_image)
        context.is_long, context.seed = options.long, options.seed
        for name in options.case or (SHORT + LONG if options.long else SHORT):
            started = time.monotonic()
            try:
                results[name] = globals()[f"case_{name}"](context)
            except Exception:
                failed.append(name)
                traceback.print_exc()
            seconds = time.monotonic() - started
            print(f"image-test: {name}: {results.get(name, 'FAILED')} in {seconds:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps(results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
