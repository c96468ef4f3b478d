"""docs/facts.md is the vocabulary of the facts, word for word."""

import re
from pathlib import Path

from runtime_agent import facts

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "facts.md"


def test_the_table_is_the_schema():
    table = re.findall(r"^\| `([^`]+)` \| (\S+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert table == facts.rows()


def test_the_version_is_the_one_documented():
    assert f'{{"version": {facts.VERSION}, ' in DOCUMENT.read_text()


def test_every_path_has_its_parent_in_the_table():
    paths = {path for path, _, _ in facts.rows()}
    assert [path for path in paths if "." in path and path.rpartition(".")[0] not in paths] == []
