"""What the image promises, each as a case that boots it.

usage: cases.py IMAGE.img.xz TEST_IMAGE.img.xz [--long] [--seed N] [CASE...]

A table goes to standard error, one JSON line with the figures to standard output; ends 0 only when all cases hold.
"""

import argparse
import contextlib
import filecmp
import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import bench
import confinement
import group
import writes
from cards import Cards
from foreign import ForeignDisk
from group import case_group  # noqa: F401
from machine import HOST

ROOT = pathlib.Path(__file__).parents[3]
VIRTUAL_CAMERA = "/dev/v4l/by-path/platform-vivid.0-video-index0"
LOCAL = "  - {{name: {}, device: {}, format: yuyv 320x180@2, topic: local}}"
NETWORK = "network: {address: 10.0.2.77/24, router: 10.0.2.2, dns: [10.0.2.3]}"
COUNTS = ("frames", "lost", "repeated", "twice", "gaps")
GROWTH_SECONDS = 4  # how long growing takes under emulation
PATIENCE = 600  # seconds for a start under emulation, also on a busy desk


def part(machine, pattern):
    return round(machine.wait(pattern, PATIENCE)[0], 1)


def case_boot(context):
    """From power-on to the first acknowledged frame, in parts: the very image, and nothing of the first frames lost.
    Another disk with partitions of the same names is found first: not a byte of it is changed. The gateway is in its
    sandbox, which refuses nothing that it needs."""
    with bench.on_desk({"gate": "h264"}) as desk, context.board(desk.settings()) as board:
        tail = bench.Tail(desk)
        other = ForeignDisk(board.directory, desk.settings().replace("gateway: board-1", "gateway: not-ours"))
        board.other_disk = other.options()
        board.start()
        at, text = board.wait(r"camgate image ", PATIENCE)
        kernel = float(re.search(r"([0-9.]+) s after the kernel's start", text)[1])
        figures = {
            "firmware_s": round(at - kernel, 1),
            "kernel_s": round(at, 1),
            "grown_s": part(board, r"system: data: "),
            "system_s": part(board, r"system: started as "),
            "gateway_s": part(board, r"camgate [0-9.]+, gateway 'board-1'"),
            "sandbox_s": part(board, r"sandbox: Landlock \(ABI \d+\), seccomp \(known calls only\)"),
            "camera_s": part(board, r"camera gate: streaming"),
        }
        tail.wait(["gate"], 1, PATIENCE)
        figures["first_record_s"] = round(time.monotonic() - board.powered, 1)
        tail.wait(["gate"], 300, PATIENCE)
        summary, problems = desk.read("--camera", "gate")
        assert summary["ok"], problems
        assert not board.said("the sandbox refuses"), board.console
        board.cut_power()
        other.check()
        return figures | {name: summary[name] for name in COUNTS}


def case_outage(context):
    """The way to Kafka is cut for three minutes: nothing of any camera is lost, memory stays what it was, and catching
    up ends. Then the monitor takes away the whole link: the camera in the board goes on, and loses nothing either."""
    more = LOCAL.format("by-link", VIRTUAL_CAMERA)
    with bench.on_desk({"gate": "h264"}) as desk:
        # Little memory for frames: full after half a minute.
        settings = desk.settings(more=more, memory="8MiB")
        board = desk.stack.enter_context(context.board(settings, kind="test"))
        tail, cameras = bench.Tail(desk), ["gate", "by-link"]
        board.start()
        tail.wait(cameras, 20, PATIENCE)
        tail.wait_current(cameras, PATIENCE)
        resident = [board.resident()]
        desk.proxy.command("cut")
        for _ in range(3):
            tail.read(60)
            resident.append(board.resident())
        desk.proxy.command("pass")
        figures = {"back_after_s": round(tail.wait(cameras, 1, PATIENCE), 1)}
        # An emulated board that is given little of the desk is not much faster than its cameras.
        figures["caught_up_after_s"] = round(tail.wait_current(cameras, 2 * PATIENCE), 1)
        board.wait(r"Kafka keeps up again", PATIENCE)
        resident.append(board.resident())
        figures["gateway_mib"] = resident
        bench.say(f"outage: {figures}")
        assert max(resident) - resident[1] <= 8, resident
        assert not board.said("no sign of life"), board.console
        board.unplug()
        tail.read(60)
        board.plug()
        tail.wait_current(cameras, PATIENCE)
        figures["by-link"] = local(desk)
        # RTSP goes over the same link, and says so: once.
        summary, problems = desk.read("--camera", "gate", "--gaps", "network,camera")
        figures["gate"] = {name: summary[name] for name in COUNTS}
        assert summary["ok"] and summary["gaps"] == 1, (summary, problems)
        return figures


def local(desk, reasons="camera"):
    """Checks what the virtual camera sent. Its driver counts the pictures that a slow board did not take in time."""
    summary, problems = desk.read("--topic", "local", "--skip", "counter", "--gaps", reasons)
    assert summary["ok"], problems
    return {name: summary[name] for name in ("frames", "twice", "gaps", "announced")}


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
                tail.read(20)  # until it is on disk
            log = bench.persistent_log(board.card, board.directory)
            assert "error: unknown key 'kafka_brokers'" in log and "the last good ones are used" in log, log
            bench.on_config(board.card, "mdel", "::camgate.yaml")
            with board.powered_on():
                board.wait(r"there is no camgate.yaml", PATIENCE)
                tail.wait(["gate", "yard"], 30, PATIENCE)
            return {"starts": 4}


def case_network(context):
    """The section `system`: a host name, an address without DHCP, a name server, a time server; then all in a VLAN.
    Nobody can connect to the board."""
    with bench.on_desk({"gate": "h264"}) as desk:
        plain = desk.settings(more=f"system: {{hostname: gate-7, ntp: [{HOST}], {NETWORK}}}")
        with context.board(plain, kind="test") as board:
            tail = bench.Tail(desk)
            with board.powered_on():
                tail.wait(["gate"], 30, PATIENCE)
                assert board.said(r"network: eth0 has 10\.0\.2\.77/24"), board.console
                assert board.run("hostname; pidof udhcpc || true").strip() == "gate-7"
                assert "default via 10.0.2.2" in board.run("ip route")
                assert "nameserver 10.0.2.3" in board.run("cat /etc/resolv.conf")
                assert board.said(rf"clock: asking {re.escape(HOST)}$"), board.console
                sockets = board.run("cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true").splitlines()
                listening = [line for line in sockets if re.match(r" *\d+: \S+ \S+ 0A ", line)]
                assert sockets and not listening, listening
            bench.write_settings(board.card, plain.replace("dns:", "vlan: 12, dns:"), board.directory)
            with board.powered_on():
                board.wait(r"network: eth0\.12 has 10\.0\.2\.77/24", PATIENCE)
                assert re.search(r"eth0\.12 +\| 12 +\| eth0", board.run("cat /proc/net/vlan/config"))
            return {"sockets": len(sockets), "listening": len(listening)}


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
    """The kernel's virtual camera, by its node and then by its identity, YUYV to JPEG; its driver is taken away while
    it streams. The gateway is no root, in its sandbox, and no other user reads its settings."""
    first = LOCAL.format("by-node", "/dev/video0")
    with bench.on_desk({"gate": "h264"}) as desk, context.board(desk.settings(more=first), kind="test") as board:
        tail = bench.Tail(desk)
        board.start()
        tail.wait(["gate", "by-node"], 30, PATIENCE)
        board.run(f"sed 's|by-node|by-link|; s|/dev/video0|{VIRTUAL_CAMERA}|' /config/camgate.yaml >/run/other.yaml")
        board.run("chmod 644 /run/other.yaml; echo /run/other.yaml >/run/chosen; kill $(pidof camgate)")
        tail.wait(["gate", "by-link"], 30, PATIENCE)
        driver = "/sys/bus/platform/drivers/vivid"
        board.run(f"echo vivid.0 >{driver}/unbind")
        board.wait(r"camera by-link: the camera is gone", 60)
        tail.wait(["gate"], 60, PATIENCE)
        board.run(f"echo vivid.0 >{driver}/bind")
        tail.wait(["by-link"], 30, PATIENCE)
        status = board.run("cat /proc/$(pidof camgate)/status").splitlines()
        user = dict(line.split(":\t") for line in status if line.startswith(("Uid", "CapEff")))
        assert user == {"Uid": "100\t100\t100\t100", "CapEff": "0000000000000000"}, user
        rights = board.run("ls -ldn /config/camgate.yaml /data/ring; ls -ldn /data/settings/ /data/settings/*")
        rights = rights.splitlines()
        for line in rights[:2]:
            assert re.match(r"[d-]r.[x-]------ +\d+ 100 +100 ", line), rights
        for line in rights[2:]:
            assert re.match(r"[d-]r-[x-]r-[x-]--- +\d+ 0 +100 ", line), rights
        confinement.check_daemons(board)
        tail.wait(["gate", "by-link"], 30, PATIENCE)  # with the name servers of the new lease
        confinement.check_sandbox(board)
        return local(desk, "camera,network,restart")


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
    """What four cameras need of the board's memory. The gateway's is limited: there is some for all the rest."""
    with contextlib.ExitStack() as stack:
        desk = stack.enter_context(bench.on_desk({"gate*4": "h264"}))
        board = stack.enter_context(context.board(desk.settings(), kind="test"))
        stack.enter_context(board.powered_on())
        tail = bench.Tail(desk)
        tail.wait([f"gate{number}" for number in range(4)], 900, PATIENCE)
        rows = dict(line.split(":") for line in board.run("cat /proc/meminfo").splitlines() if ":" in line)
        kib = {name: int(text.split()[0]) for name, text in rows.items()}
        used = (kib["MemTotal"] - kib["MemAvailable"]) >> 10
        assert used <= 160, f"{used} MiB: {rows}"
        figures = {"used_mib": used, "gateway_mib": board.resident(), "root_mib": kib["Shmem"] >> 10}
        return figures | group.check(board, kib)


def case_power(context):
    """The power is cut at random moments: growing, healthy, in an outage, catching up. Every start succeeds, the ring
    is sound, nothing is there twice, and what is missing is announced and no more than what waited for the disk."""
    choice, cuts = random.Random(context.seed), []
    for _ in range(5):
        with context.board(size=64 * 10**9) as board:
            board.start()
            board.wait(r"the data partition grows", PATIENCE)
            time.sleep(choice.uniform(0, GROWTH_SECONDS))
            board.cut_power()
            cuts.append(("growing", time.time()))
            bench.check_data(board.card, board.directory)
            board.start()
            board.wait(r"system: started as ", PATIENCE)
            assert not board.said("beyond repair"), board.console
    with bench.on_desk({"gate": "h264"}) as desk, context.board(desk.settings(), kind="test") as board:
        tail = bench.Tail(desk)
        for phase in ["healthy", "outage", "catching up"] * 5:
            board.start()
            board.wait(r"camera gate: streaming", PATIENCE)
            # After a cut in an outage it starts in one.
            desk.proxy.command("pass")
            tail.wait(["gate"], 30, PATIENCE)
            tail.wait_current(["gate"], PATIENCE)
            if phase != "healthy":
                desk.proxy.command("cut")
                tail.read(choice.uniform(10, 40))
            if phase == "catching up":
                desk.proxy.command("pass")
                tail.wait(["gate"], 1, PATIENCE)
            tail.read(choice.uniform(0, 3))
            board.cut_power()
            cuts.append((phase, time.time()))
            bench.say(f"power: cut {len(cuts)}, {phase}")
        desk.proxy.command("pass")
        board.start()
        tail.wait(["gate"], 300, PATIENCE)
        board.cut_power()
        in_ring, _ = bench.check_ring(board.card, board.directory)
        assert in_ring > 0
        summary, problems = desk.read("--camera", "gate", "--gaps", "network,restart")
        assert summary["ok"], problems
        worst = bench.losses(desk.records("cameras"), cuts[5:])
        # What waits for the disk by the settings' defaults (spill_after, sync_interval), and two seconds for a slow
        # board and for its clock, which begins at a whole second.
        assert max(worst.values()) < 2 + 1 + 2, worst
        return {"cuts": len(cuts), "worst_loss_s": worst} | {name: summary[name] for name in COUNTS}


def case_writes(context):
    """What was written since the last flush is partly there and partly not: the file system and the ring recover, after
    cuts while the data partition is grown, and while the ring is in use."""
    with bench.on_desk({"gate": "h264"}) as desk, context.board(desk.settings()) as board:
        tail = bench.Tail(desk)
        with writes.recorded(board, "growth") as growth:
            tail.wait(["gate"], 30, PATIENCE)
        with writes.recorded(board, "outage") as outage:
            tail.wait(["gate"], 30, PATIENCE)
            desk.proxy.command("cut")
            tail.read(60)
            desk.proxy.command("pass")
            tail.wait(["gate"], 30, PATIENCE)
            tail.wait_current(["gate"], PATIENCE)
        growth, outage, rounds = growth(), outage(), 100 if context.is_long else 20
        for number in range(10):
            bench.say(f"writes: growth: {growth.replay(board.card, context.seed + number)}")
            bench.check_data(board.card, board.directory)
        start_anew(board, tail)
        damages = 0
        for number in range(rounds):
            outage.replay(board.card, context.seed + number, is_torn=False)
            durable, damage = bench.check_ring(board.card, board.directory)
            assert not damage, damage
            told = outage.replay(board.card, context.seed + number)
            sound, damage = bench.check_ring(board.card, board.directory)
            bench.say(f"writes: outage: {told}: {durable} frames durable, {sound} sound")
            # Half a frame with another one behind it looks like damage. It was never durable: those are all there.
            assert sound >= durable, damage
            damages += len(damage)
            if number % 10 == 0:
                start_anew(board, tail)
        return {
            "growth": {"replays": 10, "writes": len(growth.entries)},
            "outage": {"replays": rounds, "writes": len(outage.entries), "torn_frames": damages},
        }


def start_anew(board, tail):
    """The board starts from what its card has, and captures."""
    with board.powered_on():
        tail.wait(["gate"], 30, PATIENCE)
        assert not board.said("beyond repair"), board.console


def case_bytes(context):
    """The same commit gives the same image in a directory of another name; what is not committed is not in it."""
    with tempfile.TemporaryDirectory(prefix="camgate-elsewhere-") as directory:
        clone = pathlib.Path(directory) / "of-another" / "name"
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        build = subprocess.run([clone / "Toolchain/dev", "image"], stdout=subprocess.PIPE, text=True, check=True)
        image = pathlib.Path(build.stdout.splitlines()[-1])
        assert filecmp.cmp(image, context.packed["image"], shallow=False), image
        return {"bytes": image.stat().st_size}


SHORT = ["boot", "outage", "settings", "network", "cards", "devices", "watchdog", "memory"]
LONG = ["bytes", "power", "writes", "group"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("test_image")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("case", nargs="*")
    options = parser.parse_intermixed_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # boards and cards go, as at Ctrl-C
    results, failed = {}, []
    with contextlib.ExitStack() as stack:
        context = Cards(stack, options.image, options.test_image)
        context.is_long, context.seed = options.long, options.seed
        for name in options.case or (SHORT + LONG if options.long else SHORT):
            started = time.monotonic()
            try:
                results[name] = globals()[f"case_{name}"](context)
            except Exception:
                failed.append(name)
                traceback.print_exc()
            seconds = time.monotonic() - started
            bench.say(f"{name}: {results.get(name, 'FAILED')} in {seconds:.0f} s")
    print(json.dumps(results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
