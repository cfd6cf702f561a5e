#!/usr/bin/env python3
"""Certificates for tests of TLS, made by openssl(1).

usage: certificates.py DIRECTORY

Writes, each with its key (NAME.pem, NAME.key):
  ca, other-ca                  two authorities that do not know each other
  good                          for 127.0.0.1, localhost and kafka.tst, by ca
  wrong-name, expired           as good, but for another name, or of the past
  client                        a client's, by ca
"""

import pathlib
import subprocess
import sys

CONFIGURATION = """
[ca]
default_ca = this
[this]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
HERE = "IP:127.0.0.1,DNS:localhost,DNS:127.0.0.1,DNS:kafka.tst"
PAST, FUTURE = ("20200101000000Z", "20200201000000Z"), ("20200101000000Z", "20991231000000Z")


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def authority(directory, name):
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]
    openssl(directory, "req", "-x509", *key, "-out", f"{name}.pem", "-days", "3650", "-subj", f"/CN={name}")


def certificate(directory, name, alternative, dates):
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]
    extension = ["-addext", f"subjectAltName={alternative}"] if alternative else []
    openssl(directory, "req", *key, "-out", f"{name}.csr", "-subj", f"/CN={name}", *extension)
    signer = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"]
    span = ["-startdate", dates[0], "-enddate", dates[1]]
    openssl(directory, "ca", "-batch", *signer, *span, "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext")


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "ca.cnf").write_text(CONFIGURATION)
    (directory / "index").write_text("")
    (directory / "serial").write_text("01\n")
    authority(directory, "ca")
    authority(directory, "other-ca")
    certificate(directory, "good", HERE, FUTURE)
    certificate(directory, "wrong-name", "DNS:kafka.example", FUTURE)
    certificate(directory, "expired", HERE, PAST)
    certificate(directory, "client", "", FUTURE)


if __name__ == "__main__":
    main()
