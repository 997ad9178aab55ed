#!/usr/bin/env python3
"""The picture in the README: the terminal after a real run of the demo, as SVG.

    pip install pyte && demo/picture.py docs/images/demo.svg"""

import fcntl
import html
import itertools
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios

import pyte

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS, ROWS = 100, 60
CELL_W, CELL_H, MARGIN = 8.4, 18, 16
COLOURS = {"default": "#d8dee9", "cyan": "#56c8d8", "faint": "#7f8896", "bold": "#ffffff"}


class Screen(pyte.Screen):
    """pyte knows no faint text (SGR 2); italics stand in for it here."""

    def select_graphic_rendition(self, *attributes, **options):
        super().select_graphic_rendition(*(3 if each == 2 else each for each in attributes), **options)


def run_demo():
    screen = Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    stream.feed(b"$ make demo\r\n")
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    demo = subprocess.Popen([sys.executable, ROOT / "demo" / "demo.py"], cwd=ROOT, stdin=terminal, stdout=terminal,
                            stderr=terminal, env={**os.environ, "TERM": "xterm"})
    os.close(terminal)
    try:
        while chunk := os.read(main, 65536):
            stream.feed(chunk)
    except OSError:  # EIO: the demo has ended
        pass
    if demo.wait():
        sys.exit(f"the demo ended with {demo.returncode}")
    return screen


def colour(cell):
    if cell.italics:
        return "faint"
    if cell.fg in COLOURS and cell.fg != "default":
        return cell.fg
    return "bold" if cell.bold else "default"


def svg(screen):
    rows = [[screen.buffer[y][x] for x in range(COLUMNS)] for y in range(ROWS)]
    while not "".join(cell.data for cell in rows[-1]).strip():
        rows.pop()
    width, height = COLUMNS * CELL_W + 2 * MARGIN, len(rows) * CELL_H + 2 * MARGIN
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
           f'font-family="\'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="14">')
    yield '<rect width="100%" height="100%" rx="8" fill="#1c2128"/>'
    for y, row in enumerate(rows):
        for paint, cells in itertools.groupby(enumerate(row), key=lambda item: colour(item[1])):
            cells = list(cells)
            first, text = cells[0][0], "".join(cell.data for _, cell in cells)
            # Each piece has its own place, so that the columns hold in whatever font the reader has.
            for piece in re.finditer(r"\S+(?: \S+)*", text):
                x, length = MARGIN + (first + piece.start()) * CELL_W, len(piece[0]) * CELL_W
                yield (f'<text x="{x:.1f}" y="{MARGIN + (y + 0.75) * CELL_H:.1f}" fill="{COLOURS[paint]}" '
                       f'textLength="{length:.1f}">{html.escape(piece[0])}</text>')
    yield "</svg>"


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text("\n".join(svg(run_demo())) + "\n")
