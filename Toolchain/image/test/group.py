"""The group that the gateway has on the board (cgroup v2), and its limits."""

SYSTEM_KIB = 96 << 10  # what image/root/sbin/startup leaves to the system
GROUP = "/sys/fs/cgroup/camgate"


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
