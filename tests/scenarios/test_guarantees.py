"""docs/guarantees.md names each scenario and its test."""

import pathlib
import re

HERE = pathlib.Path(__file__).parent
TABLE = (HERE.parents[1] / "docs/guarantees.md").read_text()
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| [^|]+ \| `(test_(\d\d)_\w+)` \|$", re.M)


def test_all_48_are_in_the_table_with_a_test_of_their_number():
    rows = ROW.findall(TABLE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 49))
    assert all(int(number) == int(of_test) for number, _, of_test in rows)


def test_the_tests_are_there():
    code = "".join(path.read_text() for path in sorted(HERE.glob("test_*.py")))
    functions = re.findall(r"^def (test_\d\d_\w+)\(", code, re.M)
    assert len(functions) == len(set(functions))
    for _, name, _ in ROW.findall(TABLE):
        assert name in functions
