"""The documents are true: what they link to exists, and the commands they name are there."""

import re
from pathlib import Path

import pytest

from deploy.lab import cli

PROJECT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def commands() -> set[str]:
    subparsers = next(action for action in cli.parser()._actions if action.choices)
    return set(subparsers.choices)


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_link_leads_somewhere(document):
    targets = [target for target in LINK.findall(document.read_text()) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_command_named_exists(document):
    assert set(re.findall(r"\./lab ([a-z]+)", document.read_text())) <= commands()


def test_the_readme_lists_every_command():
    named = set(re.findall(r"^\| `\./lab ([a-z]+)", (PROJECT / "README.md").read_text(), re.MULTILINE))
    assert named == commands()


def test_the_first_screen_of_the_readme_has_the_two_commands():
    first_screen = "\n".join((PROJECT / "README.md").read_text().splitlines()[:20])
    assert "sudo ./lab up" in first_screen
    assert "sudo ./lab test" in first_screen


def test_ci_runs_what_the_readme_says():
    assert (PROJECT / ".ci" / "run").read_text().splitlines()[-1] == "exec ./lab test"


def test_the_top_level_holds_only_what_belongs_there():
    allowed = {"labsite", "labs", "runtime_agent", "templates", "static", "tests", "deploy", "docs", ".ci"}
    folders = {path.name for path in PROJECT.iterdir() if path.is_dir()}
    assert folders - allowed <= {".git", "node_modules", ".bulkhead", ".pytest_cache", "__pycache__", ".hypothesis",
                                 ".ruff_cache"}
