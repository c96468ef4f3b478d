"""The agent's own /metrics, /healthz and /readyz, and its log lines."""

import io
import json
import logging
import shutil
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client import REGISTRY

from runtime_agent import logs, metrics, protocol, rootfs
from runtime_agent.events import Outbox
from runtime_agent.protocol.reasons import REASONS
from runtime_agent.settings import SettingsError, load
from tests.instance import free_port

SESSION = "0f5a3b9e-1111-4222-8333-444455556666"


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def served(tmp_path):
    """(address, the event that makes it ready, the outbox's folder)"""
    ready, outbox, port = threading.Event(), tmp_path / "outbox", free_port()
    outbox.mkdir()
    server = metrics.serve(port, metrics.Host(6, lambda: 2, lambda: 1, outbox, tmp_path, ready.is_set))
    yield f"http://127.0.0.1:{port}", ready, outbox
    server.shutdown()
    server.server_close()


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read().decode()


def test_the_figures_are_those_of_the_moment(served):
    address, _ready, outbox = served
    (outbox / "1.json").write_text("{}")
    lines = get(f"{address}/metrics").splitlines()
    for line in ("bulkhead_agent_capacity 6.0", "bulkhead_agent_used 2.0", "bulkhead_agent_spares 1.0",
                 "bulkhead_agent_events_waiting 1.0", "bulkhead_agent_ready 0.0"):
        assert line in lines


def test_ready_is_said_only_when_it_is_true(served, monkeypatch, tmp_path):
    address, ready, _outbox = served
    assert get(f"{address}/healthz") == "ok\n"
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(f"{address}/readyz")
    ready.set()
    assert get(f"{address}/readyz") == "ok\n"
    free = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(metrics.shutil, "disk_usage", lambda folder: free._replace(free=rootfs.FREE_BYTES_WATERMARK))
    assert get(f"{address}/readyz") == "ok\n"
    monkeypatch.setattr(metrics.shutil, "disk_usage", lambda folder: free._replace(free=rootfs.FREE_BYTES_WATERMARK - 1))
    with pytest.raises(urllib.error.HTTPError, match="503"):  # here every sandbox is refused
        get(f"{address}/readyz")


def test_nothing_else_is_served(served):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{served[0]}/")


def test_a_taken_port_does_not_stop_the_agent(served, caplog):
    assert metrics.serve(int(served[0].rpartition(":")[2]), None) is None
    assert "no metrics on port" in caplog.text
    assert metrics.serve(0, None) is None


def test_every_reason_is_a_label_from_the_beginning():
    found = {sample.labels["reason"] for metric in metrics.FAILURES.collect() for sample in metric.samples}
    assert set(REASONS) <= found


def test_events_failures_and_creates_are_counted(tmp_path):
    outbox = Outbox(tmp_path, "h")
    before = (count("bulkhead_agent_failures_total", reason="disk-full"), count("bulkhead_agent_create_seconds_count"))
    outbox.emit("stage", SESSION, {"stage": protocol.STAGES[0]})
    outbox.emit("failed", SESSION, {"reason": "disk-full"})
    outbox.emit("ready", SESSION, {"facts": {}})
    outbox.emit("stage", SESSION, {"stage": protocol.STAGES[0]})
    outbox.emit("ready", SESSION, {"facts": {}})
    after = (count("bulkhead_agent_failures_total", reason="disk-full"), count("bulkhead_agent_create_seconds_count"))
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


@pytest.mark.parametrize("text", ["65536", "-1", "many"])
def test_a_bad_port_is_named(text):
    with pytest.raises(SettingsError, match="BULKHEAD_METRICS_PORT"):
        load({"BULKHEAD_METRICS_PORT": text})


def test_a_line_is_an_object_that_names_its_session_and_process():
    written, logger = io.StringIO(), logging.getLogger("agent-here")
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.json_formatter("bridge"))
    logger.addHandler(handler)
    logger.error("terminal open session_id=%s", f"{SESSION}.0")
    logs._bind(kwargs={"session_id": SESSION})
    logger.error("within")
    logs._unbind()
    logger.error("after")
    logger.removeHandler(handler)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line.get("session_id") for line in lines] == [SESSION, SESSION, None]
    assert {line["process"] for line in lines} == {"bridge"}
