#!/usr/bin/env python3
"""RTSP servers of another make: VLC, one for each raw file of H.264 or H.265, looped, over UDP only.

usage: vlc.py NAME=FILE...

Prints `READY {"port": 0, "urls": {NAME: URL}}`. Ends when standard input ends. VLC refuses to run as root: then it runs
as the user 65534, who is given copies of the files.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def end_with_parent():
    """prctl(PR_SET_PDEATHSIG): a test kills this program rather than ending its input."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(path, port, home):
    path = shutil.copyfile(path, os.path.join(home, f"{port}-{os.path.basename(path)}"))
    sout = f"#rtp{{sdp=rtsp://127.0.0.1:{port}/x}}"
    demux = "hevc" if path.endswith(".hevc") else "h264"
    options = ["--quiet", "--loop", "--demux", demux, f"--{demux}-fps", "25", "--sout", sout, "--sout-keep"]
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(
        ["cvlc", *options, path], env={**os.environ, "HOME": home}, preexec_fn=end_with_parent, **quiet, **user
    )


def wait_for(port, server):
    while server.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"vlc: ended with {server.returncode}")


def main():
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o777)
        servers, urls = [], {}
        try:
            for text in sys.argv[1:]:
                name, _, path = text.partition("=")
                port = free_port()
                servers.append(start(path, port, home))
                wait_for(port, servers[-1])
                urls[name] = f"rtsp://127.0.0.1:{port}/x"
            print("READY " + json.dumps({"port": 0, "urls": urls}), flush=True)
            for _ in sys.stdin:
                pass
        finally:
            for server in servers:
                server.kill()
                server.wait()


if __name__ == "__main__":
    main()
