"""What is in a docker archive. As a program, `archive.py FILE`: how large its image is, layer by
layer; more than the limit in all ends with status 1."""

import json
import pathlib
import stat
import sys
import tarfile

LIMIT = 25_000_000      # bytes of all files in it, uncompressed


class Layer:
    """One layer: its entries, and how large its files are together."""

    def __init__(self, members):
        self.members = members
        self.files = [member for member in members if member.isfile()]
        self.size = sum(member.size for member in self.files)

    def __str__(self):
        largest = max(self.files, key=lambda member: member.size)
        return f"{self.size / 1e6:6.2f} MB  {len(self.files)} files, the largest {largest.name}"


class Archive:
    """`layers` from the lowest; `config` is the image's configuration; `entries` {path: TarInfo}
    what a container sees."""

    def __init__(self, path):
        self._path = pathlib.Path(path)
        with tarfile.open(self._path) as outer:
            manifest = json.load(outer.extractfile("manifest.json"))[0]
            self.config = json.load(outer.extractfile(manifest["Config"]))
            self.tags = manifest["RepoTags"]
            self.layers = [self._layer(outer, name) for name in manifest["Layers"]]
        self.entries = {member.name.strip("./"): member
                        for layer in self.layers for member in layer.members}
        self.size = sum(layer.size for layer in self.layers)

    @staticmethod
    def _layer(outer, name):
        with tarfile.open(fileobj=outer.extractfile(name)) as inner:
            return Layer(inner.getmembers())

    def report(self):
        return [*map(str, self.layers),
                f"{self.size / 1e6:6.2f} MB  in all; at most {LIMIT / 1e6:.0f} MB"]

    def programs(self):
        """Files that may be executed, and are no libraries."""
        return [path for path, entry in self.entries.items() if entry.isfile() and
                entry.mode & stat.S_IXUSR and ".so." not in path]

    def libraries(self):
        return [path for path, entry in self.entries.items() if entry.isfile() and ".so." in path]


def main():
    archive = Archive(sys.argv[1])
    print("\n".join(archive.report()))
    if archive.size > LIMIT:
        sys.exit("archive.py: the image is larger than it may be")


if __name__ == "__main__":
    main()
