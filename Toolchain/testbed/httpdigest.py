"""The server's half of HTTP Digest (RFC 7616), written from the RFC: challenges, and what is wrong with an answer."""

import hashlib
import re
import secrets

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
REALM = 'Cameras, "north" \\ 1'


class Guard:
    """Lets in who answers the challenge. `algorithms`: what is offered, in this order, and only the first is taken;
    `lasting`: how many requests a nonce is good for; `joined`: all challenges in one header, Basic in front."""

    def __init__(self, user, password, algorithms, lasting=1_000_000, joined=False):
        self.user, self.password = user, password
        self.algorithms, self.lasting, self.joined = algorithms, lasting, joined
        self.counts = {}
        self.refusals = []

    def challenges(self, is_stale=False):
        """The values of WWW-Authenticate."""
        nonce = secrets.token_hex(8) + "=="
        self.counts[nonce] = 0
        realm = REALM.replace("\\", "\\\\").replace('"', '\\"')
        offers = [
            f'Digest realm="{realm}", qop="auth,auth-int", algorithm={algorithm}, nonce="{nonce}", opaque="{nonce[:4]}"'
            + (", stale=TRUE" if is_stale else "")
            for algorithm in self.algorithms
        ]
        return [", ".join(['Basic realm="all of it"', *offers])] if self.joined else offers

    def check(self, method, path, authorization):
        """None when the request may pass, else the challenges to refuse it with."""
        if not authorization:
            return self.challenges()
        fault, is_stale = self.fault(method, path, authorization)
        if fault:
            if not is_stale:
                self.refusals.append(fault)
            return self.challenges(is_stale)
        return None

    def fault(self, method, path, authorization):
        """(what is wrong with an answer or None, whether that is the age of its nonce)"""
        scheme, rest = authorization.split(" ", 1)
        given = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
            for name, quoted, plain in re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))', rest)
        }
        if scheme != "Digest" or given.get("algorithm", "MD5") != self.algorithms[0]:
            return f"not {self.algorithms[0]}: {scheme} {given.get('algorithm')}", False
        count = self.counts.get(given.get("nonce"))
        if count is None:
            return "a nonce that was never given", False
        if (given.get("uri"), given.get("realm"), given.get("opaque")) != (path, REALM, given["nonce"][:4]):
            return f"uri {given.get('uri')}, realm {given.get('realm')}, opaque {given.get('opaque')}", False
        if given.get("qop") != "auth" or not given.get("cnonce") or not re.fullmatch("[0-9a-f]{8}", given["nc"]):
            return f"qop {given.get('qop')}, cnonce {given.get('cnonce')}, nc {given.get('nc')}", False

        def digest(*parts):
            return HASHES[self.algorithms[0]](":".join(parts).encode()).hexdigest()

        expected = digest(
            digest(self.user, REALM, self.password),
            *(given[name] for name in ("nonce", "nc", "cnonce", "qop")),
            digest(method, path),
        )
        if (given.get("username"), given.get("response")) != (self.user, expected):
            return "a wrong login", False
        if int(given["nc"], 16) != count + 1:
            return f"request {given['nc']} of a nonce after {count}", False
        if count >= self.lasting:
            return "an old nonce", True
        self.counts[given["nonce"]] += 1
        return None, False
