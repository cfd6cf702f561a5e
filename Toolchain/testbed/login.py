"""Logins of scripted cameras: Basic (RFC 7617), and Digest with MD5 or SHA-256 (RFC 7616)."""

import base64
import hashlib
import re

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256, "SHA-256-sess": hashlib.sha256}
REALM, NONCE = "camera", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"


def challenges(algorithms):
    """What is asked for, in the order of the algorithms; Basic when there are none."""
    if not algorithms:
        return [f'WWW-Authenticate: Basic realm="{REALM}"']
    return [
        f'WWW-Authenticate: Digest realm="{REALM}", qop="auth", algorithm={name}, nonce="{NONCE}"'
        for name in algorithms
    ]


def is_right(login, algorithms, method, headers):
    """Whether a request brings the login `user:password`, or none is asked for."""
    given = headers.get("authorization", "")
    if not login:
        return True
    if not algorithms:
        return given == "Basic " + base64.b64encode(login.encode()).decode()
    named = {key.lower(): quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', given)}
    name = named.get("algorithm", "MD5")
    if not given.startswith("Digest ") or name not in algorithms:
        return False

    def digest(*parts):
        return HASHES[name](":".join(parts).encode()).hexdigest()

    user, _, password = login.partition(":")
    first = digest(user, REALM, password)
    if name.endswith("-sess"):
        first = digest(first, NONCE, named.get("cnonce", ""))
    second = digest(method, named.get("uri", ""))
    expected = digest(first, NONCE, *(named.get(key, "") for key in ("nc", "cnonce", "qop")), second)
    return (named.get("username"), named.get("nonce"), named.get("response")) == (user, NONCE, expected)
