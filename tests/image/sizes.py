"""How large an image is, layer by layer: sizes.py DIRECTORY LIMIT, of an unpacked docker archive.
Counted are the bytes of the files in it, uncompressed. More than LIMIT in all ends with status 1."""
import json
import pathlib
import sys
import tarfile


def layers(directory):
    """Of each layer, from the lowest: the instruction that made it, and its size in bytes."""
    top = pathlib.Path(directory)
    manifest = json.loads((top / "manifest.json").read_text())[0]
    config = json.loads((top / manifest["Config"]).read_text())
    made_by = [step.get("created_by", "?") for step in config["history"] if not step.get("empty_layer")]
    sizes = []
    for name in manifest["Layers"]:
        with tarfile.open(top / name) as layer:
            sizes.append(sum(member.size for member in layer))
    return list(zip(made_by, sizes, strict=True))


def main():
    directory, limit = sys.argv[1], int(sys.argv[2])
    total = 0
    for made_by, size in layers(directory):
        print(f"{size / 1e6:7.2f} MB  {' '.join(made_by.split())[:80]}")
        total += size
    print(f"{total / 1e6:7.2f} MB  in all; at most {limit / 1e6:.0f} MB")
    if total > limit:
        sys.exit("sizes.py: the image is larger than it may be")


if __name__ == "__main__":
    main()
