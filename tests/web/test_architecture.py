"""The borders of design.md, held by reading the imports: who may know whom."""

import ast
import re
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
WEB, AGENT, COMMAND = ("labs", "labsite"), ("runtime_agent",), ("deploy",)


def sources(*folders: str) -> list[Path]:
    """Our modules; what lies in labs/content and labs/images runs in sandboxes and not in the site."""
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py")
                  if not {"content", "images"} & set(path.relative_to(PROJECT).parts))


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever in it; "from a import b" counts as a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("path", sources(*AGENT), ids=name)
def test_the_agent_never_knows_the_site(path):
    assert not tops(path) & {"django", "channels", "labs", "labsite", "deploy"}


@pytest.mark.parametrize("path", sources(*WEB), ids=name)
def test_the_site_knows_the_agent_by_its_protocol_its_bus_and_the_words_of_its_facts_only(path):
    agent = {".".join(found.split(".")[:2]) for found in imports(path) if found.partition(".")[0] == "runtime_agent"}
    assert agent - {f"runtime_agent.{module}" for module in ("protocol", "bus", "facts", "fleet", "intake")} == set()


@pytest.mark.parametrize("path", [*sources("runtime_agent/protocol"), PROJECT / "runtime_agent" / "facts.py",
                                  PROJECT / "runtime_agent" / "fleet.py"], ids=name)
def test_the_words_that_both_sides_share_need_the_standard_library_and_one_another_only(path):
    others = {found for found in imports(path) if found.partition(".")[0] not in sys.stdlib_module_names}
    assert {found for found in others if not found.startswith("runtime_agent.protocol")} == set()


@pytest.mark.parametrize("path", sources(*COMMAND), ids=name)
def test_the_command_needs_the_standard_library_only(path):
    assert tops(path) - set(sys.stdlib_module_names) - {"deploy"} == set()


def test_the_bus_that_both_sides_share_knows_neither():
    assert tops(PROJECT / "runtime_agent" / "bus.py") - set(sys.stdlib_module_names) == {"hiredis"}
    assert tops(PROJECT / "runtime_agent" / "intake.py") - set(sys.stdlib_module_names) == {"kombu", "redis"}


@pytest.mark.parametrize("path", sources("labs/course"), ids=name)
def test_the_loader_is_pure(path):
    assert not tops(path) & {"django", "channels", "celery", "redis"}


def test_only_the_agent_client_sends_tasks_to_workers():
    senders = [name(path) for path in sources(*WEB) if "send_task" in path.read_text()]
    assert senders == ["labs/agent_client.py"]


def test_the_site_starts_no_process():
    assert [name(path) for path in sources(*WEB) if tops(path) & {"subprocess", "multiprocessing", "pty"}] == []
    starts = re.compile(r"\bos\.(system|popen|fork|exec|spawn|posix_spawn)|\bsubprocess_(exec|shell)|create_subprocess|ProcessPool")
    assert [name(path) for path in sources(*WEB) if starts.search(path.read_text())] == []
