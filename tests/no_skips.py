"""A hook for the tests that need a real host: one that is skipped in CI is a failure, it would prove nothing and look like
success. Folders of such tests import it into their conftest.py."""

import os

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and (os.environ.get("CI") or os.environ.get("BULKHEAD_REQUIRE_SANDBOX")):
        report.outcome, report.longrepr = "failed", f"skipped in CI: {report.longrepr}"
