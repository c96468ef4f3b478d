"""A bench that measured nothing, or missed what it asks for, is not green."""

import math

import pytest

from tests.bench import faults, table
from tests.bench.table import Row


def test_no_rows_and_no_rounds_are_a_failure(capsys):
    assert table.report([]) == 1
    assert faults.report([], None) == 1


@pytest.mark.parametrize(("row", "status"), [
    (Row("m", "ms", 10.0, bound="<= 10"), 0), (Row("m", "ms", 10.1, bound="<= 10"), 1), (Row("m", "", 9.9, bound=">= 10"), 1),
    (Row("m", "ms", 1.0, 2.0, target="<= 0.5"), 0), (Row("m", "ms", 1.1, 2.0, target="<= 0.5"), 1),
    (Row("m", "ms", 1.0, 0.0, target="<= 0.5"), 1), (Row("m", "ms", math.nan, bound="<= 10"), 1), (Row("m", "ms", 99.0), 0)])
def test_a_target_that_is_missed_is_a_failure(row, status, capsys):
    assert table.report([Row("asks nothing", "", 1.0), row]) == status
    assert ("MISSED" in capsys.readouterr().out) is bool(status)


@pytest.mark.parametrize("lost, doubled, error", [(1, 0, ""), (0, 1, ""), (0, 0, "never agreed")])
def test_a_round_that_loses_doubles_or_never_agrees_is_a_failure(lost, doubled, error, capsys):
    whole = faults.Round("line cut", 6, 6, 0, 0, 1.0)
    assert faults.report([whole], None) == 0
    assert faults.report([whole, faults.Round("line cut", 6, 6, lost, doubled, 1.0, error)], None) == 1
