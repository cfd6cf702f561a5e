"""Certificates for the tests, made by openssl(1): an authority, another one, and servers of the first."""

import pathlib
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Certificates:
    """`right.pem` and `wrong.pem` are authorities; `server(names)` is a certificate signed by the right one."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.right = self.authority("right")
        self.wrong = self.authority("wrong")

    def authority(self, name):
        path = self.directory / f"{name}.pem"
        key = path.with_suffix(".key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name} authority", "-keyout", key, "-out", path)  # fmt: skip
        return path

    def server(self, alternative_name):
        """A server's certificate for `DNS:name` or `IP:address`: a file with its chain, and one with its key."""
        stem = self.directory / alternative_name.replace(":", "-")
        key, path, request = (stem.with_suffix(suffix) for suffix in (".key", ".pem", ".csr"))
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={alternative_name}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server",
                "-keyout", key, "-out", request)  # fmt: skip
        openssl("x509", "-req", "-in", request, "-CA", self.right, "-CAkey", self.right.with_suffix(".key"), "-days",
                "2", "-extfile", extensions, "-out", path)  # fmt: skip
        return path, key
