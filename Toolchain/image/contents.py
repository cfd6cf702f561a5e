"""What is in an image, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json): every input with version and SHA-256.

usage: contents.py IMAGE VERSION BINARY PACKAGES INPUTS...
  PACKAGES    what Swift resolved (Package.resolved)
  INPUTS      lists as Toolchain/cross/fetch.sh makes them
"""

import hashlib
import json
import pathlib
import sys
import urllib.parse

# What only runs on the desk leaves nothing in the image.
IN_THE_IMAGE = {"sysroot", "library", "image"}


def sha256(path):
    return {"alg": "SHA-256", "content": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}


def component(line):
    _, name, arch, _, version, checksum, path = line.split()
    where = urllib.parse.quote(version, safe="")
    return {
        "type": "operating-system" if name.startswith("linux-image") else "library",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/debian/{name}@{where}?arch={arch}",
        "hashes": [{"alg": "SHA-256", "content": checksum}],
        "properties": [{"name": "camgate:file", "value": path.split("/")[-1]}],
    }


def package(pin):
    """A Swift package, which its revision names."""
    where, version = pin["location"].removeprefix("https://").removesuffix(".git"), pin["state"]["version"]
    return {
        "type": "library",
        "name": pin["identity"],
        "version": version,
        "purl": f"pkg:swift/{where}@{version}",
        "properties": [{"name": "camgate:revision", "value": pin["state"]["revision"]}],
    }


def main():
    image, version, binary, packages, *lists = sys.argv[1:]
    lines = sorted({line for path in lists for line in pathlib.Path(path).read_text().splitlines()})
    components = [component(line) for line in lines if line.split()[0] in IN_THE_IMAGE]
    components += [package(pin) for pin in json.loads(pathlib.Path(packages).read_text())["pins"]]
    gateway = {"type": "application", "name": "camgate", "version": version, "hashes": [sha256(binary)]}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "firmware",
                "name": pathlib.Path(image).name.removesuffix(".img"),
                "version": version,
                "hashes": [sha256(image)],
            }
        },
        "components": [gateway, *components],
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
