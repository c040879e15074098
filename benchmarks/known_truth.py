"""How often the league says what it must of simulated studies, at full size.

The table has a line for every statement of ``tests/oracles/simulated_studies.py``, with the rate
that it must keep and, for those that are at most or at least nominal, the binomial band around it.
"""

import argparse
import sys
import time
from pathlib import Path

from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from oracles.simulated_studies import SCENARIOS, rates

CHANCE = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="of every scenario")
    parser.add_argument("--permutations", type=int, default=399)
    parser.add_argument("--resamples", type=int, default=399)
    settings = parser.parse_args()
    missed = 0
    begin = time.perf_counter()
    print(f"{settings.studies} studies of 48 ensembles × 2 seeds for each scenario\n")
    print(f"{'scenario':<33}{'statement':<47}{'rate':>6}   must be")
    for scenario in SCENARIOS:
        found = rates(
            scenario,
            settings.studies,
            permutations=settings.permutations,
            resamples=settings.resamples,
        )
        for statement, rate in found.items():
            at_most = statement.bound == "at most"
            limit = binom.ppf(1 - CHANCE if at_most else CHANCE, settings.studies, statement.rate)
            limit /= settings.studies
            holds = rate <= limit if at_most else rate >= limit
            missed += not holds
            print(
                f"{scenario:<33}{statement.sentence:<47}{rate:6.3f}   {statement.bound} "
                f"{statement.rate:.2f} (band to {limit:.3f}){'' if holds else '   MISSED'}",
                flush=True,
            )
    print(f"\n{time.perf_counter() - begin:.0f} s")
    if missed:
        raise SystemExit(f"{missed} statements are not within their bands.")


if __name__ == "__main__":
    main()
