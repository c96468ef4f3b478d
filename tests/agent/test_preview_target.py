"""What the tunnel connects to: only previews of ready sessions of this host."""

import uuid

import pytest

from runtime_agent import network, preview_target, sandbox
from runtime_agent.preview_target import Refused, Targets
from runtime_agent.protocol.tunnel_codec import TunnelEnd
from runtime_agent.records import Record
from tests.agent.labs import lab_document, publish
from tests.agent.machine_room import hall


@pytest.fixture
def targets(tmp_path, monkeypatch):
    """Targets of a host with one ready session, whose sandbox is a stand-in; ``.session`` is its id."""
    sessions, _ = hall(tmp_path)
    found = Targets(sessions.settings)
    lab = publish(sessions.settings.content_dir, lab_document(previews=[{"title": "Web", "machine": "box", "port": 8080}]))
    found.session = str(uuid.uuid4())
    found.record = Record(found.session, 1, lab, state="ready")
    found.records.save(found.record)
    monkeypatch.setattr(network, "open_socket", lambda pid, ticks: ("socket", pid, ticks))
    monkeypatch.setattr(sandbox, "find", lambda settings, session_id, machine: Box())
    preview_target._lab.cache_clear()
    return found


class Box:
    init_pid, state = 4711, {"init_start_ticks": 7}

    class spec:  # noqa: N801
        interfaces = ()


def refusal(targets, name, port):
    with pytest.raises(Refused) as caught:
        targets.open(name.encode(), port)
    return caught.value.end


def test_a_preview_of_a_ready_session_is_opened(targets):
    assert targets.open(f"{targets.session}/box".encode(), 8080) == (("socket", 4711, 7), ["127.0.0.1"])


@pytest.mark.parametrize(("machine", "port"), [("box", 22), ("db", 8080), ("", 8080)])
def test_a_port_that_the_lab_does_not_name_is_refused(targets, machine, port):
    assert refusal(targets, f"{targets.session}/{machine}", port) is TunnelEnd.NOT_A_PREVIEW


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "x/box", "00000000-0000-4000-8000-000000000000/box", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_session_that_is_not_here_is_refused(targets, name):
    assert refusal(targets, name, 8080) is TunnelEnd.NO_SANDBOX


@pytest.mark.parametrize("state", ["starting", "exited"])
def test_a_session_that_is_not_ready_is_refused(targets, state):
    targets.record.state = state
    targets.records.save(targets.record)
    assert refusal(targets, f"{targets.session}/box", 8080) is TunnelEnd.NO_SANDBOX


def test_a_sandbox_that_has_ended_is_refused(targets, monkeypatch):
    monkeypatch.setattr(sandbox, "find", lambda settings, session_id, machine: None)
    assert refusal(targets, f"{targets.session}/box", 8080) is TunnelEnd.NO_SANDBOX
