"""What an operator sees of a running site: the synthetic student's walk, metrics of site and agent, one id in every log."""

import json
import urllib.error
import urllib.request

import pytest

from tests.instance import PROCESSES, free_port, running, wait_until

pytestmark = pytest.mark.browser
TOKEN = "a-token-of-the-school"


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A site that logs JSON and shows its metrics."""
    with running(tmp_path_factory.mktemp("watched"), BULKHEAD_LOG_FORMAT="json", BULKHEAD_METRICS_TOKEN=TOKEN,
                 BULKHEAD_METRICS_PORT=str(free_port())) as instance:
        yield instance


def get(address: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
        return answer.read().decode()


def value(text: str, series: str) -> float:
    return float(next(line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith(f"{series} ")))


def records(instance, process: str) -> list[dict]:
    return [json.loads(line) for line in instance.log(process, tail_bytes=1 << 22).splitlines()]


def test_the_synthetic_student_walks_a_lab_and_every_process_logs_its_session(watched):
    agent = f"http://127.0.0.1:{watched.environment['BULKHEAD_METRICS_PORT']}"
    wait_until(lambda: ready(agent), 60, "the agent to take work")
    assert get(f"{agent}/healthz") == "ok\n"
    result = json.loads(watched.manage("synthetic").splitlines()[-1])
    assert result["ok"], result
    assert list(result["seconds"]) == ["page", "start", "terminal", "end"]

    site = get(f"{watched.url}/metrics", Authorization=f"Bearer {TOKEN}")
    assert value(site, "bulkhead_synthetic_ok") == value(site, "bulkhead_session_start_seconds_count") == 1
    assert value(site, "bulkhead_hosts") == 1
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{watched.url}/metrics")
    told = get(f"{agent}/metrics")
    assert value(told, "bulkhead_agent_create_seconds_count") == 1
    assert value(told, 'bulkhead_agent_events_total{kind="ready"}') == 1
    assert value(told, 'bulkhead_agent_failures_total{reason="disk-full"}') == 0

    session = next(record["session_id"] for record in records(watched, "control") if "session_id" in record)
    for process in set(PROCESSES) - {"redis", "tunnel"}:
        found = [record for record in records(watched, process) if record.get("session_id") == session]
        assert found, f"{process} has no line of the session"
        assert {record["process"] for record in found} == {process}


def ready(agent: str) -> bool:
    try:
        return get(f"{agent}/readyz") == "ok\n"
    except OSError:  # it answers 503, or does not listen yet
        return False
