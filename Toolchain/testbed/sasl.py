"""The broker's side of a Kafka login, written down independently of librdkafka: SaslHandshake and SaslAuthenticate
(Kafka protocol guide), with PLAIN (RFC 4616), SCRAM (RFC 5802, RFC 7677) and OAUTHBEARER (RFC 7628). For proxy.py, in
front of a broker that asks for no login.
"""

import base64
import hashlib
import hmac
import os
import struct

import echo

API_VERSIONS, HANDSHAKE, AUTHENTICATE = 18, 17, 36
UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 33, 58
LENGTH = struct.Struct(">I")
ITERATIONS = 4096


class Refused(Exception):
    """The login is wrong; `given` is the user and the secret it came with, where they can be told."""

    def __init__(self, reason, given=("", "")):
        super().__init__(reason)
        self.given = given


class Plain:
    def __init__(self, user, secret):
        self.expected = f"\0{user}\0{secret}".encode()

    def step(self, message):
        """The answer to a message, and whether that was the last."""
        if not hmac.compare_digest(message, self.expected):
            raise Refused("wrong user or password", message.decode().split("\0")[1:])
        return b"", True


class OAuthBearer:
    def __init__(self, user, secret):
        self.expected = f"auth=Bearer {secret}".encode()

    def step(self, message):
        header, *pairs = message.split(b"\x01")
        if not header.startswith(b"n,") or self.expected not in pairs:
            raise Refused("wrong token", ("", pairs[0].decode().removeprefix("auth=Bearer ")))
        return b"", True


class Scram:
    def __init__(self, user, secret, algorithm):
        self.user, self.algorithm = user, algorithm
        self.salt, self.nonce = os.urandom(16), base64.b64encode(os.urandom(18)).decode()
        self.salted = hashlib.pbkdf2_hmac(algorithm, secret.encode(), self.salt, ITERATIONS)
        self.first = None

    def mac(self, key, text):
        return hmac.digest(key, text, self.algorithm)

    def step(self, message):
        fields = dict(part.split("=", 1) for part in message.decode().split(",") if "=" in part)
        if self.first is None:
            if fields.get("n") != self.user:
                raise Refused("no such user")
            bare = message.decode().removeprefix("n,,")
            salt = base64.b64encode(self.salt).decode()
            answer = f"r={fields['r']}{self.nonce},s={salt},i={ITERATIONS}"
            self.first, self.combined = f"{bare},{answer}", fields["r"] + self.nonce
            return answer.encode(), False
        without_proof = message.decode().rpartition(",p=")[0]
        # librdkafka 2.0.2 (Debian 12) repeats its own nonce in front; brokers took that before CVE-2024-56128.
        if not fields.get("r", "").endswith(self.combined) or fields.get("c") != "biws":
            raise Refused("wrong nonce or channel binding")
        log = f"{self.first},{without_proof}".encode()
        client_key = self.mac(self.salted, b"Client Key")
        stored_key = hashlib.new(self.algorithm, client_key).digest()
        proof = bytes(a ^ b for a, b in zip(client_key, self.mac(stored_key, log), strict=True))
        if not hmac.compare_digest(base64.b64decode(fields["p"]), proof):
            raise Refused("wrong password")
        return b"v=" + base64.b64encode(self.mac(self.mac(self.salted, b"Server Key"), log)), True


def mechanism(name, user, secret):
    if name == "PLAIN":
        return Plain(user, secret)
    if name == "OAUTHBEARER":
        return OAuthBearer(user, secret)
    return Scram(user, secret, {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[name])


async def log_in(expected, echoes, reader, writer, server_reader, server_writer):
    """Leads the dialogue until the client is in; false when it was refused. `expected`: mechanism, user, secret.
    `echoes`: names of the spellings in which the reason repeats a wrong login.
    """
    login = mechanism(*expected)
    while True:
        head = await reader.readexactly(LENGTH.size)
        request = await reader.readexactly(LENGTH.unpack(head)[0])
        key, version = struct.unpack_from(">hh", request)
        correlation, body = request[4:8], request[10 + max(0, struct.unpack_from(">h", request, 8)[0]) :]
        if key == API_VERSIONS:
            server_writer.write(head + request)
            head = await server_reader.readexactly(LENGTH.size)
            writer.write(head + await server_reader.readexactly(LENGTH.unpack(head)[0]))
        elif key == HANDSHAKE:
            is_known = body[2:].decode() == expected[0]
            name = expected[0].encode()
            answer = struct.pack(">hih", 0 if is_known else UNSUPPORTED_MECHANISM, 1, len(name)) + name
            writer.write(LENGTH.pack(4 + len(answer)) + correlation + answer)
        elif key == AUTHENTICATE:
            try:
                token, is_done = login.step(body[4:])
                answer = struct.pack(">hhi", 0, -1, len(token)) + token
            except Refused as error:
                said = [echo.spellings(*error.given)[name] for name in echoes]
                text = ". ".join([str(error), *said]).encode()
                answer = struct.pack(">hh", AUTHENTICATION_FAILED, len(text)) + text + struct.pack(">i", 0)
                token, is_done = None, True
            answer += struct.pack(">q", 0) if version >= 1 else b""
            writer.write(LENGTH.pack(4 + len(answer)) + correlation + answer)
            if is_done:
                await writer.drain()
                return token is not None
        else:
            return False
        await writer.drain()
