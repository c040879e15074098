"""How often the league says what it must of simulated studies, at full size.

The table has a line for every statement of ``tests/oracles/simulated_studies.py``, with the rate
that it must keep, the rate measured, and the binomial band around the former: of a statement that
just holds, one in a thousand runs falls outside. ``--output docs/known_truth.md`` writes it as the
page of the documentation.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from oracles.simulated_studies import ENSEMBLES, SCENARIOS, SEEDS, Statement, rates

CHANCE = 1e-3
PAGE = """# What the league says where the truth is known

Each line is a kind of study whose truth is known, a statement, how often the league must make it,
and how often it did in {studies:,} simulated studies of {ensembles} ensembles × {seeds} seeds, with
{permutations} permutations and {resamples} resamples each. The band is that of the binomial
distribution: a statement that just keeps its rate falls outside of it in one of {runs} runs.
`tests/oracles/simulated_studies.py` defines the scenarios; `tests/statistics/test_known_truth.py`
holds the same statements in every test run, with fewer studies.

    python benchmarks/known_truth.py --studies {studies} --permutations {permutations} \\
        --resamples {resamples} --output docs/known_truth.md

| scenario | statement | wanted | measured | band |
|---|---|---|---|---|
{lines}
"""


def limit(statement: Statement, studies: int) -> float:
    """Last rate within the band of a statement that just holds."""
    at_most = statement.bound == "at most"
    return binom.ppf(1 - CHANCE if at_most else CHANCE, studies, statement.rate) / studies


def measured(settings: argparse.Namespace) -> Iterator[tuple[str, Statement, float, float, bool]]:
    """Scenario, statement, rate, the limit of the rate, and whether it is kept."""
    for scenario in SCENARIOS:
        found = rates(
            scenario,
            settings.studies,
            permutations=settings.permutations,
            resamples=settings.resamples,
        )
        for statement, rate in found.items():
            last = limit(statement, settings.studies)
            holds = rate <= last if statement.bound == "at most" else rate >= last
            yield scenario, statement, rate, last, holds


def page(lines: list[str], settings: argparse.Namespace) -> str:
    """The page of the documentation."""
    sizes = {key: getattr(settings, key) for key in ("studies", "permutations", "resamples")}
    sizes |= {"ensembles": ENSEMBLES, "seeds": SEEDS, "runs": f"{1 / CHANCE:,.0f}"}
    return PAGE.format(lines="\n".join(lines), **sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="of every scenario")
    parser.add_argument("--permutations", type=int, default=399)
    parser.add_argument("--resamples", type=int, default=399)
    parser.add_argument("--output", type=Path, help="page of the documentation to write")
    settings = parser.parse_args()
    missed, lines = 0, []
    begin = time.perf_counter()
    print(f"{settings.studies} studies of 48 ensembles × 2 seeds for each scenario\n")
    print(f"{'scenario':<33}{'statement':<47}{'rate':>6}   must be")
    for scenario, statement, rate, last, holds in measured(settings):
        missed += not holds
        print(
            f"{scenario:<33}{statement.sentence:<47}{rate:6.3f}   {statement.bound} "
            f"{statement.rate:.2f} (band to {last:.3f}){'' if holds else '   MISSED'}",
            flush=True,
        )
        lines.append(
            f"| {scenario} | {statement.sentence} | {statement.bound} {statement.rate:.2f} "
            f"| {rate:.3f}{'' if holds else ' (missed)'} "
            f"| {'≤' if statement.bound == 'at most' else '≥'} {last:.3f} |"
        )
    print(f"\n{time.perf_counter() - begin:.0f} s")
    if settings.output:
        settings.output.write_text(page(lines, settings), encoding="utf-8")
    if missed:
        raise SystemExit(f"{missed} statements are not within their bands.")


if __name__ == "__main__":
    main()
