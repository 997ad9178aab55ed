"""seeds.py TEXT DIRECTORY: writes the seeds of a text, TARGET NAME BYTES a line, as files DIRECTORY/TARGET/NAME."""
import ast
import pathlib
import sys


def main(text, directory):
    for line in pathlib.Path(text).read_text(encoding="ascii").splitlines():
        if not line or line.startswith("#"):
            continue
        target, name, seed = line.split(" ", 2)
        path = pathlib.Path(directory, target, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ast.literal_eval("b'''" + seed + "'''"))


main(*sys.argv[1:])
