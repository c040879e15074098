"""How often the league and claims say what they must of simulated studies, at full size.

The table has a line for every statement of ``tests/oracles/study_statements.py``, with the rate
that it must keep, the rate measured, and the binomial band around the former: of a statement that
just holds, one in a thousand runs falls outside. ``--output docs/known_truth.md`` writes it as the
page of the documentation.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from oracles.simulated_studies import ENSEMBLES, SCENARIOS, SEEDS
from oracles.study_judge import NEARNESS
from oracles.study_statements import TOLERANCE, Statement, limits, rates

CHANCE = 1e-3
Limits = tuple[float, float]
PAGE = """# What the league and claims say where the truth is known

Each line is a kind of study whose truth is known, a statement, how often the league must make it,
and how often it did in {studies:,} simulated studies of {ensembles} ensembles × {seeds} seeds, with
{permutations} permutations and {resamples} resamples each. The band is that of the binomial
distribution: a statement that just keeps its rate falls outside of it in one of {runs} runs. About
a rate is within {tolerance:g} of it. Shown means what it means in the report, by p-value and
interval; found, by the permutation test of a statistic alone.

A p-value promises its level under its own null hypothesis, and nothing where that does not hold:

* Ψ, ψ of a factor, K and sign errors are tested against independence of measure and gap,
  **hyper-parameters included**. A measure that only knows a hyper-parameter is found by Ψ and by
  sign errors, and by K if there is noise on it, though K itself is 0. Not promised stands there,
  with the rate measured. What a measure says beyond hyper-parameters, only correlations within
  strata, correlations given the design and added R² tell.
* ψ of a factor holds all other factors fixed, and Ψ the dataset. A mean over factors, Ψ is no
  relation within: where a measure turns round from one factor to the other, look at every ψ.
* Regrets and hit rates are tested against measures that say nothing within strata. One choice is
  little to test: the best of twelve is chosen by chance in one case of twelve.
* A claim says no more than the correlation that it is about: on a pooled one, it replicates
  wherever a factor moves both. A claim of nearness is within ± {nearness:g}.

`tests/oracles/simulated_studies.py` defines the scenarios, `tests/oracles/study_statements.py` the
statements; `tests/statistics/test_known_truth.py` holds them in every test run, with fewer studies.

    python benchmarks/known_truth.py --studies {studies} --permutations {permutations} \\
        --resamples {resamples} --output docs/known_truth.md

| scenario | statement | wanted | measured | band | why |
|---|---|---|---|---|---|
{lines}
"""


def measured(
    settings: argparse.Namespace,
) -> Iterator[tuple[str, Statement, float, Limits, bool]]:
    """Scenario, statement, rate, its least and largest limit, and whether they are kept."""
    for scenario in SCENARIOS:
        found = rates(
            scenario,
            settings.studies,
            permutations=settings.permutations,
            resamples=settings.resamples,
        )
        for statement, rate in found.items():
            least, largest = limits(statement, settings.studies, CHANCE)
            yield scenario, statement, rate, (least, largest), least <= rate <= largest


def page(lines: list[str], settings: argparse.Namespace) -> str:
    """The page of the documentation."""
    sizes = {key: getattr(settings, key) for key in ("studies", "permutations", "resamples")}
    sizes |= {"ensembles": ENSEMBLES, "seeds": SEEDS, "runs": f"{1 / CHANCE:,.0f}"}
    sizes |= {"tolerance": TOLERANCE, "nearness": NEARNESS}
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
    print(
        f"{settings.studies} studies of {ENSEMBLES} ensembles × {SEEDS} seeds for each scenario\n"
    )
    print(f"{'scenario':<49}{'statement':<74}{'rate':>6}   must be")
    for scenario, statement, rate, (least, largest), holds in measured(settings):
        missed += not holds
        wanted, band = "not promised", ""
        if statement.bound != "none":
            wanted, band = f"{statement.bound} {statement.rate:g}", f"{least:.3f} to {largest:.3f}"
        print(
            f"{scenario:<49}{statement.sentence:<74}{rate:6.3f}   {wanted} "
            f"({band}){'' if holds else '   MISSED'}",
            flush=True,
        )
        lines.append(
            f"| {scenario} | {statement.sentence} | {wanted} "
            f"| {rate:.3f}{'' if holds else ' (missed)'} | {band} | {statement.why} |"
        )
    print(f"\n{time.perf_counter() - begin:.0f} s")
    if settings.output:
        settings.output.write_text(page(lines, settings), encoding="utf-8")
    if missed:
        raise SystemExit(f"{missed} statements are not within their bands.")


if __name__ == "__main__":
    main()
