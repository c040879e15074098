import pytest
from oracles.simulated_studies import SCENARIOS, STATEMENTS, limits, rates

STUDIES = 150
CHANCE = 1e-4  # of a statement that just holds, to fail


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_simulated_studies_are_judged_correctly(scenario):
    """By the binomial band of the rate that each statement must keep."""
    for statement, rate in rates(scenario, STUDIES).items():
        least, largest = limits(statement, STUDIES, CHANCE)
        assert least <= rate <= largest, statement


def test_every_scenario_has_a_statement():
    assert {statement.scenario for statement in STATEMENTS} == set(SCENARIOS)
