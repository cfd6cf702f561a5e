"""The patch of FFmpeg that makes rtsps:// verify: a program of its own (rtsps.c) against a camera of its own."""

import contextlib
import socket
import ssl
import threading

from authorities import Certificates

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\nc=IN IP4 0.0.0.0\r\n"
    "a=control:track\r\n"
)
ANSWERS = {
    "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
    "DESCRIBE": ("Content-Type: application/sdp\r\n", SDP),
    "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", ""),
    "PLAY": ("Session: 1\r\n", ""),
}


def converse(connection):
    """The dialogue up to PLAY: MJPEG's format needs nothing more to be known."""
    with connection.makefile("r", newline="\r\n") as requests:
        while line := requests.readline():
            verb, number = line.split()[0], "0"
            while (header := requests.readline().strip()) != "":
                name, value = header.split(":", 1)
                number = value.strip() if name.lower() == "cseq" else number
            if verb not in ANSWERS:
                return
            more, body = ANSWERS[verb]
            answer = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
            connection.sendall(answer.encode())


@contextlib.contextmanager
def camera(certificate, key):
    """An RTSP camera behind TLS; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain = listener.accept()[0]
            except OSError:
                return  # closed: the test is over
            with plain, contextlib.suppress(OSError, ssl.SSLError):
                plain.settimeout(60)
                with context.wrap_socket(plain, server_side=True) as connection:
                    converse(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test(target, directory):
    """Accepts the right camera by address and by name; refuses a wrong authority, name, and address."""
    certificates = Certificates(directory)
    cases = [
        ("IP:127.0.0.1", "127.0.0.1", certificates.right, 0),
        ("DNS:localhost", "localhost", certificates.right, 0),
        ("IP:127.0.0.1", "127.0.0.1", certificates.wrong, 1),
        ("DNS:elsewhere.test", "localhost", certificates.right, 1),
        ("DNS:localhost", "127.0.0.1", certificates.right, 1),
    ]
    for alternative_name, host, authority, status in cases:
        with camera(*certificates.server(alternative_name)) as port:
            target.run(f"rtsps://{host}:{port}/stream", str(authority), status=status)
    return len(cases)
