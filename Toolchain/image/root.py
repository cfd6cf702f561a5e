"""The image's root file system: an archive for the kernel (initramfs, "newc" cpio), made of directories laid over each
other and of single files. All files are root's and of one time; nothing of the desk is in it.

usage: root.py OUTPUT --time SECONDS --kernel DIRECTORY --modules FILE... --tree DIRECTORY... [--file NAME=PATH]...

--kernel   what kernel.sh made; --modules   files that name the wanted modules, `#` begins a comment
--tree     laid over what was before; links stay links, and files stay executable
"""

import argparse
import pathlib
import stat
import sys

# busybox finds each of its applets by the name it is called by.
EMPTY = ("config", "data", "dev", "proc", "run", "sys", "tmp", "root")
LINKS = {"init": "bin/busybox", "etc/resolv.conf": "/run/network/resolv.conf", "etc/mtab": "/proc/mounts"}


class Tree:
    """Names and what is there: None for a directory, text for a link, bytes and a mode for a file."""

    def __init__(self):
        self.nodes = {}

    def directory(self, name):
        for parent in pathlib.PurePath(name).parents:
            if str(parent) != ".":
                self.nodes.setdefault(str(parent), None)
        self.nodes.setdefault(name, None)

    def put(self, name, content, mode=0o644):
        self.directory(str(pathlib.PurePath(name).parent)) if "/" in name else None
        self.nodes[name] = (content, mode)

    def link(self, name, target):
        self.directory(str(pathlib.PurePath(name).parent)) if "/" in name else None
        self.nodes[name] = target

    def add_file(self, name, path):
        path = pathlib.Path(path)
        self.put(name, path.read_bytes(), 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)

    def overlay(self, directory):
        for path in sorted(pathlib.Path(directory).rglob("*")):
            name = str(path.relative_to(directory))
            if path.is_symlink():
                self.link(name, str(path.readlink()))
            elif path.is_dir():
                self.directory(name)
            else:
                self.add_file(name, path)

    def archive(self, time):
        """The cpio archive (Linux, Documentation/driver-api/early-userspace/buffer-format.rst)."""
        parts = []
        entries = sorted(self.nodes.items()) + [("TRAILER!!!", (b"", 0))]
        for number, (name, node) in enumerate(entries, 1):
            if node is None:
                content, mode = b"", stat.S_IFDIR | 0o755
            elif isinstance(node, str):
                content, mode = node.encode(), stat.S_IFLNK | 0o777
            else:
                content, mode = node[0], stat.S_IFREG | node[1]
            fields = [number, mode, 0, 0, 1, time, len(content), 0, 0, 0, 0, len(name) + 1, 0]
            header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
            parts += [header, bytes(-len(header) % 4), content, bytes(-len(content) % 4)]
        return b"".join(parts)


def words(paths):
    """The names in files of names."""
    lines = [line.split("#")[0] for path in paths for line in pathlib.Path(path).read_text().splitlines()]
    return [word for line in lines for word in line.split()]


def plain(path):
    """A module's name as the kernel writes it."""
    return pathlib.PurePath(path).name.split(".")[0].replace("-", "_")


def add_modules(tree, kernel, wanted):
    """The wanted modules and all they need, with tables of just these."""
    release = (kernel / "release").read_text().strip()
    base = kernel / "lib/modules" / release
    needs = dict(line.split(":", 1) for line in (base / "modules.dep").read_text().splitlines())
    by_name = {plain(path): path for path in needs}
    builtin = {plain(path) for path in (base / "modules.builtin").read_text().split()}
    missing = [name for name in wanted if name not in by_name and name not in builtin]
    if missing:
        raise SystemExit(f"camgate: kernel {release} has no module {', '.join(missing)}")
    chosen = set()
    for name in wanted:
        if name in by_name:
            chosen |= {by_name[name], *needs[by_name[name]].split()}
    # What a module asks for when it runs, without a name in its table of symbols.
    softly = [line.split()[1:] for line in (base / "modules.softdep").read_text().splitlines() if line[:1] != "#"]
    for owner, *others in softly:
        if by_name.get(owner.replace("-", "_")) in chosen:
            for name in (plain(other) for other in others if not other.endswith(":")):
                chosen |= {by_name[name], *needs[by_name[name]].split()} if name in by_name else set()
    names = {plain(path) for path in chosen}
    home = f"lib/modules/{release}"
    for path in chosen:
        tree.put(f"{home}/{path}", (base / path).read_bytes())
    lines = sorted(f"{path}:{needs[path]}" for path in chosen)
    tree.put(f"{home}/modules.dep", "".join(line + "\n" for line in lines).encode())
    for table in ("modules.alias", "modules.symbols"):
        lines = (base / table).read_text().splitlines(keepends=True)
        tree.put(f"{home}/{table}", "".join(line for line in lines if line.split()[-1] in names).encode())
    tree.put(f"{home}/modules.builtin", (base / "modules.builtin").read_bytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--time", type=int, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, required=True)
    parser.add_argument("--modules", nargs="+", required=True)
    parser.add_argument("--tree", nargs="+", default=[])
    parser.add_argument("--file", action="append", default=[])
    options = parser.parse_args()
    tree = Tree()
    for name in EMPTY:
        tree.directory(name)
    for name, target in LINKS.items():
        tree.link(name, target)
    add_modules(tree, options.kernel, words(options.modules))
    for directory in options.tree:
        tree.overlay(directory)
    for pair in options.file:
        tree.add_file(*pair.split("=", 1))
    data = tree.archive(options.time)
    options.output.write_bytes(data)
    modules = sum(len(node[0]) for name, node in tree.nodes.items() if name.endswith(".ko"))
    print(f"camgate: root: {len(data) >> 20} MiB, of them {modules >> 20} MiB kernel modules", file=sys.stderr)


if __name__ == "__main__":
    main()
