"""Connections that `camgate probe --record` wrote down, played to whoever connects (responder.py, `recorded`)."""

import base64
import contextlib
import threading
import time

from stream import Gone, say, shut


class Recording:
    """A recorded connection, played to one that is there."""

    def __init__(self, connection):
        self.connection, camera = connection, connection.camera
        with camera.lock:
            count = max(reply["connection"] for reply in camera.script["reply"])
            self.index = camera.recordings % count + 1
            camera.recordings += 1
        self.replies = [reply for reply in camera.script["reply"] if reply["connection"] == self.index]
        self.packets = [each for each in camera.script.get("packet", []) if each["connection"] == self.index]
        self.closes = any(each["connection"] == self.index for each in camera.script.get("close", []))
        self.is_feeding = False

    def answer(self, method, headers):
        connection = self.connection
        reply = next((each for each in self.replies if each["method"] == method), None)
        if reply is None:
            if method == "TEARDOWN":
                raise Gone
            return
        self.replies.remove(reply)
        if "text" in reply:
            body = connection.fill(reply.get("body", "")).encode("latin-1")
            head = connection.fill(reply["text"]).replace("{cseq}", headers.get("cseq", "0"))
            connection.send(head.replace("{length}", str(len(body))).encode("latin-1") + body)
        if not self.is_feeding and (method == "PLAY" or not self.replies):
            self.is_feeding = True
            say("play", camera=connection.camera.name, connection=self.index, number=0, ntp=0, udp=False)
            threading.Thread(target=self.feed, daemon=True).start()

    def feed(self):
        started = time.monotonic()
        with contextlib.suppress(Gone, OSError):
            for packet in self.packets:
                if self.connection.over.wait(max(0, started + packet["at"] - time.monotonic())):
                    return
                self.connection.send(base64.b64decode(packet["data"]))
        if self.closes:
            shut(self.connection.socket)
