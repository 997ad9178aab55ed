"""Includes point one way: main → agent → {source → formats | publish → kube} → result → loop → base."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a folder may include besides itself and the system.
MAY_INCLUDE = {
    "lib/base": [],
    "lib/loop": ["lib/base"],
    "lib/store": ["lib/base"],
    "lib/result": ["lib/base"],
    "lib/kube": ["lib/loop", "lib/base"],
    "agent/formats": ["lib/result", "lib/base"],
    "agent/protocol": ["agent/formats", "lib/result", "lib/base"],
    "agent/source": ["agent/protocol", "agent/formats", "lib/result", "lib/loop", "lib/base"],
    "agent/publish": ["lib/kube", "lib/result", "lib/loop", "lib/base"],
    "agent": ["agent/source", "agent/protocol", "agent/formats", "agent/publish", "lib/kube", "lib/result", "lib/store", "lib/loop",
              "lib/base"],
}
MADE_BY_THE_BUILD = {"version.h"}


def folder_of_include(name):
    """The folder that "folder/file.h", or "file.h" of agent/, lies in."""
    for base in ("lib", "agent"):
        path = ROOT / base / name
        if path.exists():
            return str(path.parent.relative_to(ROOT))
    assert name in MADE_BY_THE_BUILD, f'"{name}" is in neither lib/ nor agent/'
    return "agent"


def sources():
    for base in ("lib", "agent"):
        yield from sorted(path for path in (ROOT / base).rglob("*.[ch]"))


def test_every_folder_has_a_rule():
    folders = {str(path.parent.relative_to(ROOT)) for path in sources()}
    assert folders == set(MAY_INCLUDE)


def test_includes_point_one_way():
    wrong = []
    for path in sources():
        folder = str(path.parent.relative_to(ROOT))
        for line, text in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', text)
            if not match:
                continue
            target = folder_of_include(match.group(1))
            if target != folder and target not in MAY_INCLUDE[folder]:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {folder} must not include {target}")
    assert not wrong, "\n".join(wrong)


def test_formats_and_result_do_no_input_or_output():
    calls = re.compile(r"(?<!->)\b(open|openat|fopen|read|write|pread|stat|socket|printf|fprintf|getenv|time|clock_gettime)\s*\(")
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text.strip()}"
        for folder in ("lib/result", "agent/formats", "agent/protocol")
        for path in sorted((ROOT / folder).glob("*.c"))
        for line, text in enumerate(path.read_text().splitlines(), 1)
        if calls.search(text) and not text.lstrip().startswith(("*", "/*"))
    ]
    assert not wrong, "\n".join(wrong)
