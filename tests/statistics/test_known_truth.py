import numpy as np
import pytest
from oracles.simulated_studies import SCENARIOS
from oracles.study_statements import (
    ON_CORRELATIONS,
    ON_JUDGES_AND_CLAIMS,
    STATEMENTS,
    limits,
    rates,
)

CHANCE = 1e-4  # of a statement that just holds, to fail
# Statements → number of studies: a study costs the other judges ten times as much.
STUDIES = [(ON_CORRELATIONS, 150), (ON_JUDGES_AND_CLAIMS, 30)]
CASES = [
    pytest.param(scenario, some, studies, id=f"{scenario}, {studies} studies")
    for some, studies in STUDIES
    for scenario in SCENARIOS
    if any(one.scenario == scenario for one in some)
]


@pytest.mark.parametrize(("scenario", "statements", "studies"), CASES)
def test_simulated_studies_are_judged_correctly(scenario, statements, studies):
    """By the binomial band of the rate that each statement must keep."""
    for statement, rate in rates(scenario, studies, statements=statements).items():
        least, largest = limits(statement, studies, CHANCE)
        assert least <= rate <= largest, statement


def test_every_scenario_has_a_statement():
    assert {statement.scenario for statement in STATEMENTS} == set(SCENARIOS)


def test_every_statement_is_made_once():
    made = [(statement.scenario, statement.sentence) for statement in STATEMENTS]
    assert len(set(made)) == len(made)


def test_a_rate_without_a_promise_says_why():
    for statement in STATEMENTS:
        assert np.isnan(statement.rate) == (statement.bound == "none")
        assert statement.bound != "none" or statement.why, statement
