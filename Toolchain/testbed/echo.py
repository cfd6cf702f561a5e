"""What servers that repeat a login may make of it: every spelling of a secret, for those that are to be hidden."""

import base64
import json
import urllib.parse
import xml.sax.saxutils


def spellings(user, secret):
    """Each spelling by its name."""
    login = f"{user}:{secret}"
    percent = "".join(chr(byte) if byte < 128 and chr(byte).isalnum() else f"%{byte:02X}" for byte in secret.encode())
    lower = "".join(f"%{byte:02x}" for byte in secret.encode())
    plain64 = base64.b64encode(secret.encode()).decode()
    login64 = base64.b64encode(login.encode()).decode()
    return {
        "plain": f"no {login} here",
        "url": f"no rtsp://{login}@10.0.0.1/1 here",
        "url-without-host": f"no rtsp://{login} here",
        "parameter": f"no /live?user={user}&password={secret}&channel=1",
        "percent": f"no {percent} here",
        "percent-lowercase": f"no {lower} here",
        "percent-twice": f"no {urllib.parse.quote(percent, safe='')} here",
        "base64": f"no {plain64} or {plain64.rstrip('=')} here",
        "base64-url": f"no {base64.urlsafe_b64encode(secret.encode()).decode()} here",
        "base64-login": f"no {login64} or {login64.rstrip('=')} here",
        "header": f"Authorization: Basic {login64}",
        "json": f"no {json.dumps(secret)} here",
        "json-utf8": f"no {json.dumps(secret, ensure_ascii=False)} here",
        "xml": f"no {xml.sax.saxutils.escape(secret)} here",
        "escape": f"no {secret[:3]}\x1b{secret[3:]} here\x1b]0;title\x07",
        "delete": f"no {secret[:2]}\x7f{secret[2:]} here\x9b2J",
        "cut": "x" * (255 - 9) + secret,
        "cut-percent": "x" * (255 - 9) + percent,
        "cut-base64": "x" * (255 - 12) + login64,
    }
