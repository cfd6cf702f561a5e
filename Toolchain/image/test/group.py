"""The group that the gateway has on the board (cgroup v2): its limits, and what it costs the writes to the ring."""

import re
import statistics

import bench

SYSTEM_KIB = 96 << 10  # what image/root/sbin/startup leaves to the system
GROUP, TRACING = "/sys/fs/cgroup/camgate", "/sys/kernel/tracing"
# A bad card: bytes and operations a second.
SLOW = "throttling.bps-write=1000000,throttling.iops-write=40"
SECONDS = 40
HEADROOM_MIB = 48  # a sixteenth of what a board of 1 GB has: the less it is, the sooner the kernel makes writers wait
EVENT = re.compile(r"-(\d+) +\[\d+\] \S+ +(\d+\.\d+): sys_pwritev(\(| -> )")


def check(board, kib):
    """Whether the gateway is in its group, which has limits; what it has, and what the system has beside it, in MiB.
    `kib` are the lines of /proc/meminfo."""
    assert board.run("cat /proc/$(pidof camgate)/cgroup").strip() == "0::/camgate"
    read = board.run(f"cd {GROUP}; cat memory.max memory.high memory.current").split()
    most, high, current = (int(text) >> 10 for text in read)
    assert most == kib["MemTotal"] - SYSTEM_KIB and 0 <= most * 9 // 10 - high < 4, (most, high, kib["MemTotal"])
    # What is neither free nor the gateway's, nor given back when somebody asks for it.
    system = kib["MemTotal"] - kib["MemFree"] - kib["Cached"] + kib["Shmem"] - current
    return {"group_mib": current >> 10, "system_mib": system >> 10}


def times(trace):
    """How long each pwritev(2) took, in ms, of the text of the kernel's tracer."""
    begun, found = {}, []
    for thread, at, kind in EVENT.findall(trace):
        if kind == "(":
            begun[thread] = float(at)
        elif thread in begun:
            found.append(1000 * (float(at) - begun.pop(thread)))
    return found


class SlowCard:
    """A board that writes to its ring, while something else reads as many pages as it is let."""

    def __init__(self, board, tail):
        self.board, self.tail = board, tail
        self.board.run(f"[ -e {TRACING}/trace ] || mount -t tracefs tracefs {TRACING}")
        for end in ("enter", "exit"):
            self.board.run(f"echo 1 >{TRACING}/events/syscalls/sys_{end}_pwritev/enable")
        # From the start of the card, eight MiB a second, never the same soon.
        read = "dd if=/dev/vda of=/dev/null bs=1M count=8 skip=$((at = (at + 8) % 192)) 2>/dev/null; sleep 1"
        self.board.run(f"(at=0; while :; do {read}; done) & echo $! >/run/reader")

    def measure(self, group, headroom=None):
        """The times of all writes for a while with the gateway in `group`, which may have `headroom` MiB more."""
        # Pages count where they were first read: whoever reads next must not find those of the measurement before.
        self.board.run("sync; echo 3 >/proc/sys/vm/drop_caches", timeout=300)
        self.board.run(f"for id in $(pidof camgate) $(cat /run/reader); do echo $id >{group}/cgroup.procs; done")
        if headroom:
            self.board.run(f"cd {group}; echo $(($(cat memory.current) + ({headroom} << 20))) >memory.high")
            before = self.held_back()
            while self.held_back() == before:
                self.tail.read(2)
        self.tail.read(SECONDS / 2)
        self.board.run(f"cd {TRACING}; echo 8192 >buffer_size_kb; echo >trace")
        self.tail.read(SECONDS)
        found = times(self.board.run(f"cat {TRACING}/trace"))
        if headroom:
            self.board.run(f"echo $(cat {GROUP}/memory.max) >{GROUP}/memory.high")
        bench.say(f"group: {group}, {headroom or 'no'} MiB left: {summary(found)}")
        return found

    def held_back(self):
        """How often the kernel has held the group back because it had no room left (memory.events, `high`)."""
        return int(re.search(r"^high (\d+)", self.board.run(f"cat {GROUP}/memory.events"), re.MULTILINE)[1])


def case_group(context):
    """On a bad card, in an outage, a write to the ring takes no longer in the gateway's group than outside of it, also
    when the group is full."""
    with bench.on_desk({"gate*2": "mjpeg"}) as desk, context.board(desk.settings(memory="8MiB"), kind="test") as board:
        board.disk = ["-drive", f"if=none,id=card,format=raw,file={board.card},cache=writeback,{SLOW}"]
        tail, found = bench.Tail(desk), {"outside": [], "group": [], "full": []}
        with board.powered_on():
            tail.wait(["gate0", "gate1"], 20, 600)
            desk.proxy.command("cut")
            tail.read(20)
            card = SlowCard(board, tail)
            for _ in range(2):
                found["outside"] += card.measure("/sys/fs/cgroup")
                found["group"] += card.measure(GROUP)
                found["full"] += card.measure(GROUP, headroom=HEADROOM_MIB)
            assert "oom_kill 0" in board.run(f"cat {GROUP}/memory.events")
            figures = {name: summary(times) for name, times in found.items()} | {"held_back": card.held_back()}
        for name in ("group", "full"):
            # The slowest wait for the card, one way or the other.
            for which in ("median_ms", "p99_ms"):
                ratio = figures[name][which] / figures["outside"][which]
                figures[f"{name}_{which}_ratio"] = round(ratio, 2)
        bench.say(f"group: {figures}")
        for name in ("group", "full"):
            # Half a millisecond under emulation varies by tenths from one time to the next.
            assert figures[f"{name}_median_ms_ratio"] <= 1.5 and figures[f"{name}_p99_ms_ratio"] <= 1.6, figures
        return figures


def summary(found):
    """Count, median and the slow ones, in ms."""
    cuts = statistics.quantiles(found, n=100)
    slow = {"median_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(found)}
    return {"writes": len(found)} | {name: round(value, 2) for name, value in slow.items()}
