"""What the processes of the board have given up."""

import re


def check_sandbox(board):
    """Every thread of the gateway is bound, and nothing that one asked for was refused."""
    text = board.run("cat /proc/$(pidof camgate)/task/*/status")
    parts = re.split(r"(?m)^(?=Name:)", text)[1:]
    threads = [dict(line.split(":\t", 1) for line in part.splitlines()) for part in parts]
    names = {thread["Name"] for thread in threads}
    assert {"cam-gate", "cam-by-link", "forward", "rdk:main"} <= names, names
    assert all((thread["Seccomp"], thread["NoNewPrivs"]) == ("2", "1") for thread in threads), text
    assert not board.said("the sandbox refuses"), board.console


def check_daemons(board):
    """DHCP and time clients are no root, with the capabilities they need alone; a lease is renewed with these."""
    for name, user, capabilities in (("udhcpc", 101, 0x3400), ("ntpd", 102, 0x2000000)):
        status = board.run(f"cat /proc/$(pidof {name})/status").splitlines()
        found = dict(line.split(":\t") for line in status if line.startswith(("Uid", "Cap", "NoNewPrivs")))
        assert found["Uid"] == "\t".join([str(user)] * 4) and found["NoNewPrivs"] == "1", found
        assert {int(found[f"Cap{which}"], 16) for which in ("Eff", "Prm", "Bnd")} == {capabilities}, found
    board.run("rm /run/network/resolv.conf; ip address flush dev eth0; kill -USR1 $(pidof udhcpc)")
    # In this order: the address first, then the name servers.
    board.run("until [ -s /run/network/resolv.conf ]; do sleep 0.2; done")
    assert "inet 10.0.2.15/24" in board.run("ip address show dev eth0")
    names = "kptr_restrict sysrq ../user/max_user_namespaces unprivileged_bpf_disabled"
    assert board.run(f"cd /proc/sys/kernel; cat {names}").split() == ["2", "0", "0", "1"]
    assert int(board.run("cat /proc/$(pidof ntpd)/maps").split("-")[0], 16) > 1 << 32
