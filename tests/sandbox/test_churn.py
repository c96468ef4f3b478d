"""Fifty sessions under kills leave the host as it was; a thousand: `sudo ./lab bench churn`."""

import pytest

from tests.sandbox.churn import AGENT_KILLS, AT_ONCE, SPARES, churn
from tests.sandbox.stage import agent

pytestmark = pytest.mark.sandbox
SESSIONS = 50


def test_fifty_sessions_under_kills_leave_nothing(tmp_path):
    with agent(tmp_path, BULKHEAD_CAPACITY=str(AT_ONCE), BULKHEAD_WARM=str(SPARES)) as site:
        found = churn(site, SESSIONS, seed=3)
    assert sum(found["outcomes"].values()) == SESSIONS
    assert found["kills"]["agent"] == AGENT_KILLS
    assert min(found["kills"][victim] for victim in ("conmon", "init")) > 5
    assert found["outcomes"]["removed"] > SESSIONS // 2
