"""The list of what is in an image, as tools of others read it: CycloneDX's own validator, and that of package URLs.

usage: contents.py IMAGE.cdx.json
"""

import collections
import json
import pathlib
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

LOCK = pathlib.Path(__file__).parents[2] / "cross/inputs.lock"
# What is built from upstream's sources, and not as Debian has patched it.
UPSTREAM = {"busybox", "ffmpeg", "librdkafka"}


def check(path):
    text = pathlib.Path(path).read_text()
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert error is None, error
    document = json.loads(text)
    assert document["serialNumber"].startswith("urn:uuid:"), "two lists cannot be told apart"
    references = [component["bom-ref"] for component in document["components"]]
    assert len(references) == len(set(references)), references
    kinds = collections.Counter()
    for component in document["components"]:
        name, version = component["name"], component.get("version")
        if component["type"] == "operating-system":
            # Scanners look up Debian's packages only in a list that says which Debian.
            assert (name, version) == ("debian", "13"), component
            continue
        assert component["hashes"], component
        if component["type"] == "application":
            continue
        purl = PackageURL.from_string(component["purl"])
        assert str(purl) == component["purl"], f"{component['purl']} is written {purl}"
        assert (purl.name, purl.version) == (name, version), component
        kinds[purl.type] += 1
        if name in UPSTREAM:
            assert purl.type == "generic" and purl.namespace is None, component
            assert purl.qualifiers["checksum"] == "sha256:" + component["hashes"][0]["content"], component
        elif purl.type == "deb":
            assert purl.namespace == "debian" and purl.qualifiers["distro"] == "debian-13", component
            assert purl.qualifiers["arch"] in ("all", "arm64"), component
        else:
            assert purl.type == "swift", component
    # Without its epoch a version counts as older than those that were mended long ago.
    epochs = {c["name"]: c["version"].split(":")[0] for c in document["components"] if ":" in c.get("version", "")}
    assert epochs.get("zlib1g-dev") == "1", epochs
    # The Swift package is named by its files.
    pinned = {row[1]: row[5] for row in map(str.split, LOCK.read_text().splitlines()) if row[:1] == ["package"]}
    found = {c["name"]: c["hashes"][0]["content"] for c in document["components"] if "pkg:swift" in c.get("purl", "")}
    assert pinned == found and pinned, (pinned, found)
    return dict(kinds)


if __name__ == "__main__":
    print(f"contents: {check(sys.argv[1])}", file=sys.stderr)
