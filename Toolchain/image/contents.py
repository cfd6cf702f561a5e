"""What is in an image, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json): every input with version, SHA-256 and
a package URL (https://github.com/package-url/purl-spec) by which scanners look it up.

usage: contents.py IMAGE VERSION BINARY PACKAGES DOWNLOADS INPUTS...
  PACKAGES    what Swift resolved (Package.resolved)
  DOWNLOADS   where the files of the inputs lie
  INPUTS      lists as Toolchain/cross/fetch.sh makes them
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import urllib.parse
import uuid

# What only runs on the desk leaves nothing in the image.
IN_THE_IMAGE = {"sysroot", "library", "image", "package"}
DEBIAN = "13"
# Upstream's sources have no Debian version; scanners know these by other names (CPE 2.3).
CPES = {"busybox": "busybox:busybox", "ffmpeg": "ffmpeg:ffmpeg"}


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def purl(kind, name, version, **qualifiers):
    """A package URL in its canonical form: keys in order, a colon as it is."""
    quote = {key: urllib.parse.quote(value, safe=":") for key, value in sorted(qualifiers.items())}
    text = f"pkg:{kind}/{urllib.parse.quote(name)}@{urllib.parse.quote(version, safe=':')}"
    return text + ("?" + "&".join(f"{key}={value}" for key, value in quote.items()) if quote else "")


def component(name, version, checksum, url, file, **more):
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
        "hashes": [{"alg": "SHA-256", "content": checksum}],
        "properties": [{"name": "camgate:file", "value": file}],
        **more,
    }


def debian(file, checksum):
    """A package of Debian's, as it says itself: its name, its version with the epoch, and the source it is made of."""
    fields = ["Package", "Version", "Source", "Architecture"]
    answer = subprocess.run(["dpkg-deb", "-f", file, *fields], capture_output=True, text=True, check=True).stdout
    said = dict(line.split(": ", 1) for line in answer.splitlines())
    more = {"arch": said["Architecture"], "distro": f"debian-{DEBIAN}"}
    if source := said.get("Source"):
        more["upstream"] = source.replace(" (", "@").removesuffix(")")
    name, version = said["Package"], said["Version"]
    return component(name, version, checksum, purl("deb/debian", name, version, **more), file.name.split("-", 1)[1])


def upstream(name, version, checksum, file):
    more = {"cpe": f"cpe:2.3:a:{CPES[name]}:{version}:*:*:*:*:*:*:*"} if name in CPES else {}
    return component(
        name, version, checksum, purl("generic", name, version, checksum=f"sha256:{checksum}"), file, **more
    )


def entry(line, downloads, places):
    use, name, arch, _, version, checksum, path = line.split()
    file = path.split("/")[-1]
    if use == "package":
        what = f"{places[name]}: SHA-256 of what sha256sum prints of its files, sorted by name"
        return component(name, version, checksum, purl("swift", places[name], version), what)
    if arch == "source":
        return upstream(name, version, checksum, file)
    return debian(downloads / f"{checksum[:12]}-{file}", checksum)


def main():
    image, version, binary, packages, downloads, *lists = sys.argv[1:]
    lines = sorted({line for path in lists for line in pathlib.Path(path).read_text().splitlines()})
    pins = json.loads(pathlib.Path(packages).read_text())["pins"]
    places = {pin["identity"]: pin["location"].removeprefix("https://").removesuffix(".git") for pin in pins}
    entries = [entry(line, pathlib.Path(downloads), places) for line in lines if line.split()[0] in IN_THE_IMAGE]
    system = {"type": "operating-system", "bom-ref": f"debian-{DEBIAN}", "name": "debian", "version": DEBIAN}
    gateway = {
        "type": "application",
        "bom-ref": "camgate",
        "name": "camgate",
        "version": version,
        "hashes": [{"alg": "SHA-256", "content": sha256(binary)}],
    }
    whole = sha256(image)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # The same for the same image.
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, whole).urn,
        "version": 1,
        "metadata": {
            "component": {
                "type": "firmware",
                "name": pathlib.Path(image).name.removesuffix(".img"),
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": whole}],
            }
        },
        "components": [system, gateway, *entries],
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
