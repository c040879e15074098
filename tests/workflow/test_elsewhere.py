"""A study runs from any folder, with the code of its own checkout."""

import pandas as pd
import pytest

MEASURE = '''"""Sum of squared weights."""


def l2_gradient(networks):
    """Return the sum."""
    return sum(weight.square().sum((1, 2)) for weight in networks.weights)
'''


def add_a_measure(study):
    """Add a measure whose name has a digit."""
    (study.path / "generalization/measures/l2_gradient.py").write_text(MEASURE)
    study.edit(
        "generalization/catalog.py",
        '    "random_number"',
        '    "l2_gradient": Measure(),\n    "random_number"',
    )
    study.edit(
        "workflow/schemas/study.schema.yaml",
        "      random_number:\n",
        "      l2_gradient: {$ref: '#/$defs/without_settings'}\n      random_number:\n",
    )


def test_a_name_with_a_digit_in_another_folder(new_study, tmp_path):
    add_a_measure(new_study)
    measures = {"l2_gradient": {}, "weight_norm": {}}
    new_study.configure(measures=measures)
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    new_study.snakemake("-s", str(new_study.path / "Snakefile"), folder=elsewhere)
    results = elsewhere / "results/studies/study"
    table = pd.read_csv(results / "measures.csv").pivot(
        index=["ensemble", "seed", "step"], columns="measure", values="value"
    )
    # Weights are in single precision.
    assert table["l2_gradient"].to_numpy() == pytest.approx(table["weight_norm"] ** 2, rel=1e-5)
    assert (results / "figures/gap_against_measure/l2_gradient.svg").is_file()
    # The same study by the words of its own folder, in that one.
    done = new_study.snakemake("--directory", str(elsewhere), "--dry-run")
    assert "Nothing to be done" in done.stdout + done.stderr
