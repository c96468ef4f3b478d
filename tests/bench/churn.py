"""Does anything stay? `sudo ./lab bench churn [--n 1000] [--seed N]`: sessions come and go under kills (tests/sandbox/churn.py).

Prints what was counted before and after; 1 if something stayed. The test suite does the same with 50.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.sandbox.churn import AT_ONCE, SPARES, churn
from tests.sandbox.stage import agent

MIB = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="./lab bench churn", description="Sessions come and go under kills; does anything stay?")
    parser.add_argument("--n", type=int, default=1000, help="sessions, default 1000")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of what is killed, default 1")
    chosen = parser.parse_args()
    if chosen.n < 20:
        parser.error("--n: 20 or more, or nothing can be said of leaks")
    with tempfile.TemporaryDirectory(prefix="bulkhead-churn-") as folder:
        try:
            with agent(Path(folder), BULKHEAD_CAPACITY=str(AT_ONCE), BULKHEAD_WARM=str(SPARES)) as site:
                found = churn(site, chosen.n, chosen.seed)
        except AssertionError as error:
            print(error)
            return 1
    print(f"{chosen.n} sessions, {AT_ONCE} at once, in {found['seconds']} s; killed: {found['kills']}; ended: {found['outcomes']}")
    print(f"{'':22}{'before':>8}{'after':>8}")
    for name, value in found["before"].items():
        numbers = [one if isinstance(one, int) else len(one) for one in (value, found["after"][name])]
        print(f"{name:22}{numbers[0]:8}{numbers[1]:8}")
    print(f"{'agent: descriptors':22}{found['settled']['descriptors']:8}{found['figures']['descriptors']:8}")
    print(f"{'agent: memory, MiB':22}{found['settled']['memory'] / MIB:8.1f}{found['figures']['memory'] / MIB:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
