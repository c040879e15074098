import dataclasses
from collections import Counter
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from planning import read_study
from schema import SCHEMA, among, settings_of

from generalization.catalog import CHECKABLE, MEASURES, PAPERS
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import interval_over_networks
from generalization.statistics.intervals import FEWEST_ENSEMBLES
from generalization.statistics.resampling import Resampling

CONFIG = {
    "study": "test",
    "seeds": 2,
    "ensembles": [{"dataset": "digits", "width": [50, 100]}],
    "measures": {"jacobian_norm": {}, "transitions": {"samples": 7}},
}


def test_every_study_of_the_project_is_read():
    configs = sorted(Path("config").glob("*.yaml"))
    assert configs
    for path in configs:
        study = read_study(yaml.safe_load(path.read_text()))
        assert study.name == path.stem


def test_the_default_study_and_its_twin_differ_in_where_training_stops():
    one, other = (
        yaml.safe_load(Path(f"config/{name}.yaml").read_text())
        for name in ("study", "study_to_accuracy")
    )
    for key in ("study", "title", "statistics"):
        one.pop(key), other.pop(key, None)
    stops = [one["ensembles"][0].pop(key) for key in ("stop_at_accuracy", "stop_at_loss")]
    assert stops == [None, 0.01]
    assert one == other


PAPER_STUDIES = [path for path in sorted(Path("config").glob("*.yaml")) if "_" in path.stem]


@pytest.mark.parametrize("path", PAPER_STUDIES, ids=lambda path: path.stem)
def test_a_study_of_a_paper_has_enough_ensembles_of_each_dataset_for_a_verdict(path):
    ensembles = read_study(yaml.safe_load(path.read_text())).ensembles.values()
    kinds = Counter((one.dataset, one.architecture) for one in ensembles)
    assert {kind: count for kind, count in kinds.items() if count < FEWEST_ENSEMBLES} == {}


@pytest.mark.parametrize("study", ["pwcca", "pwcca_reduced"])
def test_widths_of_similar_networks_are_enough_for_a_correlation(study):
    # Of five settings in perfect order the interval of a rank correlation still contains 0.
    ensembles = read_study(yaml.safe_load(Path(f"config/{study}.yaml").read_text())).ensembles
    widths = {}
    for one in ensembles.values():
        widths.setdefault((one.dataset, one.architecture), set()).add(one.width)
    order = np.arange(min(len(some) for some in widths.values()), dtype=float)
    correlation = partial(spearman, x=order, y=order)
    resampling = Resampling(np.random.default_rng(0))
    found = interval_over_networks(correlation, pd.Series(order), resampling, correlation=True)
    assert found["low"] > 0


def test_defaults_of_schema_and_class_are_the_same():
    described = SCHEMA["$defs"]["hyperparameters"]["properties"]
    fields = {field.name: field.default for field in dataclasses.fields(Hyperparameters)}
    assert list(described) == list(fields)
    for key, about in described.items():
        if key != "dataset":
            default = about["default"]
            assert (tuple(default) if isinstance(default, list) else default) == fields[key], key


def test_every_key_is_described():
    def properties(schema):
        for key, about in schema.get("properties", {}).items():
            yield key, about
            yield from properties(about)
        for definition in schema.get("$defs", {}).values():
            yield from properties(definition)

    for key, about in properties(SCHEMA):
        target = SCHEMA["$defs"].get(about.get("$ref", "").removeprefix("#/$defs/"), {})
        assert "description" in about or "description" in target, key


def test_settings_that_differ_from_defaults_name_the_file_of_a_measure():
    study = read_study(CONFIG)
    plain, chosen = study.measures
    assert plain == "jacobian_norm"
    assert chosen.startswith("transitions-")
    expected = {"samples": 7, "grid_points": 4096, "most_work": 1e13}
    assert study.measures[chosen] == ("transitions", expected)
    default = settings_of("transitions")
    same = read_study(CONFIG | {"measures": {"transitions": dict(default)}})
    assert list(same.measures) == ["transitions"]


@pytest.mark.parametrize(
    ("kept_steps", "there"), [([], False), ([0], False), ([0, 9], True), ("every_epoch", True)]
)
def test_a_course_is_shown_of_networks_that_were_kept_on_their_way(kept_steps, there):
    ensembles = [{"dataset": "digits", "kept_steps": kept_steps}]
    study = read_study(CONFIG | {"ensembles": ensembles, "measures": {"ablation_auc": {}}})
    assert ("ablation_auc_over_training" in study.figures_and_pages[0]) == there


@pytest.mark.parametrize(
    ("figure", "pairs", "width", "there"),
    [
        ("similarity_over_training", ["over_training"], 50, True),
        ("similarity_over_training", ["between_seeds"], 50, False),
        ("similarity_against_width", ["between_seeds"], [50, 100], True),
        ("similarity_against_width", ["between_seeds"], 50, False),
        ("similarity_against_width", ["over_training"], [50, 100], False),
    ],
)
def test_a_figure_of_pairs_or_widths_needs_a_study_that_has_them(figure, pairs, width, there):
    ensembles = [{"dataset": "digits", "width": width}]
    similarities = {"svcca": {"pairs": pairs}}
    study = read_study(CONFIG | {"ensembles": ensembles, "similarities": similarities})
    assert (figure in study.figures_and_pages[0]) == there


@pytest.mark.parametrize("name", ["league", "league_reduced", "league_convolutional"])
def test_a_league_has_every_measure_that_its_networks_have(name):
    study = read_study(yaml.safe_load(Path(f"config/{name}.yaml").read_text()))
    lacking = {
        measure
        for measure, entry in MEASURES.items()
        if entry.fully_connected_only and name == "league_convolutional"
    }
    assert {measure for measure, _ in study.measures.values()} | lacking == {*MEASURES}


def test_the_audit_sweeps_the_nuisance_settings_and_has_every_measure():
    study = read_study(yaml.safe_load(Path("config/audit.yaml").read_text()))
    assert {measure for measure, _ in study.measures.values()} == {*MEASURES}
    needed = ("optimizer", "learning_rate", "batch_size", "initialization", "init_scale", "width")
    ensembles = [dataclasses.asdict(one) for one in study.ensembles.values()]
    for setting in needed:
        # Pairs of ensembles that differ in this setting alone.
        others = [{**one, setting: None} for one in ensembles]
        pairs = sum(
            others[i] == others[j] and ensembles[i] != ensembles[j]
            for i, j in combinations(range(len(ensembles)), 2)
        )
        assert pairs >= 4, setting


def test_a_study_has_the_figures_and_pages_of_its_tables():
    figures, pages = read_study(CONFIG).figures_and_pages
    assert "gap_against_measure" in figures
    assert not {"paired_ensembles", "ellipse_trajectories", "loss_bounds"} & set(figures)
    of_every_study = ["statistics", "design", "excluded", "model_statistics", "selection_on_fit"]
    assert pages == [*of_every_study, "fragility", "audit"]
    assert "gap_residuals" in figures
    comparison = {"setting": "width", "better": 100, "worse": 50}
    changes = {"profiles": {"points": {}}, "comparisons": [comparison], "papers": ["novak_2018"]}
    figures, pages = read_study(CONFIG | changes).figures_and_pages
    assert {"paired_ensembles", "loss_against_norm", "loss_bounds"} <= set(figures)
    assert set(pages) >= {"claims", "pair_statistics", "point_statistics", "bound_statistics"}


@pytest.mark.parametrize(
    ("swept", "there"),
    [("width", True), ("learning_rate", True), ("depth", False), ("label_corruption", False)],
)
def test_fragility_is_of_studies_that_sweep_a_nuisance(swept, there):
    value = {"width": 50, "learning_rate": 0.1, "depth": 2, "label_corruption": 0.5}[swept]
    default = getattr(Hyperparameters(dataset="digits"), swept)
    grid = {"dataset": "digits", swept: [default, value]}
    assert ("fragility" in read_study(CONFIG | {"ensembles": [grid]}).tables) == there


def test_all_measures_are_checked_once_with_the_settings_of_the_study():
    study = read_study(CONFIG | {"audit_checks": {"repeats": 3}})
    assert {"audit_checks", "audit"} <= study.tables
    assert study.audit_checks["repeats"] == 3
    checked = [measure for job in study.checked_measures.values() for measure in job]
    assert sorted(name for name, _ in checked) == sorted(CHECKABLE)
    expected = {"samples": 7, "grid_points": 4096, "most_work": 1e13}
    assert dict(checked)["transitions"] == expected
    assert dict(checked)["curvature"] == settings_of("curvature")
    few = read_study(CONFIG | {"audit_checks": {"measures": ["path_norm"]}})
    assert list(few.checked_measures.values()) == [[("path_norm", {})]]
    pairs = {"disagreement": {"samples": 50}}
    checks = {"measures": ["disagreement", "svcca"]}
    chosen = read_study(CONFIG | {"ensemble_measures": pairs, "audit_checks": checks})
    checked = dict(one for job in chosen.checked_measures.values() for one in job)
    assert checked["disagreement"] == {"samples": 50}
    assert checked["svcca"]["explained_variance"] == 0.99
    assert read_study(CONFIG).checked_measures == {}


def test_relations_of_papers_are_those_of_studies_that_judge_them():
    assert "paper_relations" not in read_study(CONFIG).tables
    assert "paper_relations" in read_study(CONFIG | {"papers": ["novak_2018"]}).tables
    assert not read_study(CONFIG).untested_claims
    assert read_study(CONFIG | {"untested_claims": True}).untested_claims


def test_figures_are_one_per_measure_or_factor_or_one():
    grid = {"dataset": ["digits", "mnist_subset"], "width": [50, 100], "dropout": [0, 0.5]}
    sensitivity = {"output_sensitivity": {}, "output_sensitivity_per_output": {"draws": 2}}
    study = read_study(CONFIG | {"ensembles": [grid], "measures": sensitivity})
    assert study.names_of_figures("gap_against_measure") == list(sensitivity)
    assert study.names_of_figures("measure_league") == []
    factors = study.names_of_figures("sensitivity_by_factor")
    assert sorted(factors) == ["dropout", "width"]
    both = read_study(CONFIG | {"ensembles": [grid | {"depth": [2, 3]}]})
    assert sorted(both.factors) == ["depth", "depth_at_fixed_size", "dropout", "width"]


def test_activations_with_defaults_are_recorded():
    study = read_study(CONFIG | {"activations": {}})
    assert study.activations == settings_of("activations")
    assert study.activations_file == "activations.h5"
    assert read_study(CONFIG).activations is None


def test_similarities_have_activations_of_enough_samples():
    study = read_study(CONFIG | {"similarities": {"svcca": {}}})
    assert study.activations == settings_of("activations")
    assert study.similarity_file("svcca") == "svcca"
    wide = [{"dataset": "digits", "width": [50, 300]}]
    study = read_study(CONFIG | {"similarities": {"svcca": {}}, "ensembles": wide})
    assert study.activations["samples"] == 3000
    assert study.similarity_file("svcca") != "svcca"
    chosen = {"similarities": {"svcca": {}}, "ensembles": wide, "activations": {"samples": 1000}}
    assert read_study(CONFIG | chosen).activations["samples"] == 1000


def test_what_is_compared_does_not_name_the_file_of_a_similarity():
    settings = {"pairs": ["between_ensembles"]}
    study = read_study(CONFIG | {"similarities": {"pwcca": settings}})
    assert study.similarity_file("pwcca") == "pwcca"
    settings |= {"layers": "all"}
    study = read_study(CONFIG | {"similarities": {"pwcca": settings}})
    assert study.similarity_file("pwcca").startswith("pwcca-")


def test_blocks_of_ensembles_that_see_the_same_are_compared(tmp_path):
    ensembles = [
        {"dataset": "digits", "label_corruption": [0, 1]},
        {"dataset": "digits", "randomization": "random_labels"},
        {"dataset": "digits", "crop": 6},
        {"dataset": "mnist_subset", "randomization": ["none", "gaussian"]},
    ]
    study = read_study(CONFIG | {"ensembles": ensembles, "seeds": 3})
    one, *others = sorted(
        name for name, each in study.ensembles.items() if each.dataset == "digits" and not each.crop
    )
    (tmp_path / one / "seeds-1-2").mkdir(parents=True)
    blocks = study.compared_blocks(tmp_path)
    assert len(blocks["over_training"]) == 7
    assert blocks["straight_line"] == blocks["over_training"]
    assert [pair for pair in blocks["between_seeds"] if pair[0] == one] == [
        (one, "seeds-1-2", one, "seeds-1-2"),
        (one, "seeds-1-2", one, "seeds-3-3"),
    ]
    assert set(blocks["between_ensembles"]) == {
        *(
            (one, block, other, "seeds-1-3")
            for block in ("seeds-1-2", "seeds-3-3")
            for other in others
        ),
        (others[0], "seeds-1-3", others[1], "seeds-1-3"),
    }


def test_measures_with_settings_share_no_job():
    assert read_study(CONFIG).sharing_measures == ["jacobian_norm"]


SIMILARITIES = ", ".join(SCHEMA["$defs"]["similarities"]["properties"])
ALL = "those in workflow/schemas/study.schema.yaml"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"audit_checks": {"measures": ["path_norms"]}},
            f"audit_checks.measures must be among {ALL}, not 'path_norms' (did you mean path_norm "
            "or gradient_norm?).",
        ),
        (
            {"audit_checks": {}, "ensembles": [{"dataset": "digits", "activation": "tanh"}]},
            "activation of the first ensemble must be 'relu' for audit_checks, not 'tanh'.",
        ),
        (
            {"audit_checks": {"repeats": 1}},
            "audit_checks.repeats must be at least 2, not 1.",
        ),
        (
            {"sedes": 2},
            f"keys of a study must be among {ALL}, not 'sedes' (did you mean seeds?).",
        ),
        (
            {"statistics.level": 0.9},
            f"keys of a study must be among {ALL}, not 'statistics.level' (on the command line, "
            "write --config 'statistics={level: …}').",
        ),
        (
            {"ensembles": [{"dataset": "digits", "learning_rate": "1e-2"}]},
            "ensembles[0].learning_rate must be a number, not '1e-2' (text in YAML: write 1.0e-2).",
        ),
        (
            {"statistics": {"level": ".9e0"}},
            "statistics.level must be a number, not '.9e0' (text in YAML: write 0.9e+0).",
        ),
        (
            {"seeds": "4"},
            "seeds must be an integer, not '4' (text because of its quotes: write 4).",
        ),
        ({"study": "My study"}, "study must match ^[a-z0-9_]+$, not 'My study'."),
        ({"seeds": 0}, "seeds must be at least 1, not 0."),
        ({"seeds": "four"}, "seeds must be an integer, not 'four'."),
        ({"seeds": 2.0}, "seeds must be an integer, not 2.0."),
        (
            {"ensembles": [{"dataset": "digits", "width": [20, 20.0]}]},
            "ensembles[0].width must be an integer, not 20.0.",
        ),
        ({"data_root": "/no/such"}, "data_root must be a folder, not '/no/such'."),
        ({"seeds": True}, "seeds must be an integer, not True."),
        (
            {"device": "gpu"},
            "device must be one of auto, cpu, cuda, not 'gpu' (did you mean cpu?).",
        ),
        ({"ensembles": []}, "ensembles must have at least 1 item, not []."),
        (
            {"ensembles": [{"width": 50}]},
            "ensembles[0].dataset must be given; the keys there are width.",
        ),
        (
            {"ensembles": [{"dataset": "digits"}, {"dataset": "digits", "widht": 50}]},
            f"keys of ensembles[1] must be among {ALL}, not 'widht' (did you mean width?).",
        ),
        (
            {"ensembles": [{"dataset": "digit"}]},
            "ensembles[0].dataset must be one of digits, mnist_subset, mnist, fashion_mnist, "
            "cifar10, cifar100, not 'digit' (did you mean digits?).",
        ),
        (
            {"ensembles": [{"dataset": "digits", "activation": ["relu", "gelu"]}]},
            "ensembles[0].activation must be one of relu, relu6, tanh, hardtanh, hardsigmoid, "
            "not 'gelu' (did you mean relu or relu6?).",
        ),
        (
            {"ensembles": [{"dataset": "digits", "width": []}]},
            "ensembles[0].width must have at least 1 item, not [].",
        ),
        (
            {"ensembles": [{"dataset": "digits", "width": [50, 2.5]}]},
            "ensembles[0].width must be an integer, not 2.5.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "learning_rate": 0}]},
            "ensembles[0].learning_rate must be greater than 0, not 0.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "learning_rate": float("nan")}]},
            "ensembles[0].learning_rate must be finite, not nan.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "label_corruption": 1.5}]},
            "ensembles[0].label_corruption must be at most 1, not 1.5.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "kept_steps": [0, -1]}]},
            "ensembles[0].kept_steps must be powers_of_two, every_epoch or be a list of different "
            "integers of at least 0, not [0, -1].",
        ),
        (
            {"ensembles": [{"dataset": "digits", "kept_steps": [0, 50], "max_steps": 40}]},
            "ensembles[0].kept_steps must be at most max_steps, 40, not 50.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "train_size": 2000}]},
            "ensembles[0].train_size must be at most 1000, the training images of digits, "
            "not 2000.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "crop": 24}]},
            "ensembles[0].crop must be at most 8, the side of images of digits, not 24.",
        ),
        (
            {
                "ensembles": [
                    {"dataset": "digits", "optimizer": "lbfgs", "augmentation": "translate_flip"}
                ]
            },
            "ensembles[0].augmentation must be 'none' where optimizer is 'lbfgs', "
            "not 'translate_flip'.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "optimizer": "lbfgs", "normalization": "batch"}]},
            "ensembles[0].normalization must be 'none' where optimizer is 'lbfgs', not 'batch'.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "optimizer": "lbfgs", "dropout": [0, 0.5]}]},
            "ensembles[0].dropout must be 0 where optimizer is 'lbfgs', not 0.5.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "optimizer": "lbfgs", "weight_decay": 1e-4}]},
            "ensembles[0].weight_decay must be 0 where optimizer is 'lbfgs', not 0.0001.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "normalization": "batch", "batch_size": 999}]},
            "ensembles[0].batch_size must leave no batch of 1 of the 1000 training images where "
            "normalization is 'batch', not 999.",
        ),
        (
            {
                "ensembles": [
                    {
                        "dataset": "digits",
                        "train_size": 129,
                        "normalization": ["none", "batch"],
                    }
                ]
            },
            "ensembles[0].batch_size must leave no batch of 1 of the 129 training images where "
            "normalization is 'batch', not 128.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "dropout": 1}]},
            "ensembles[0].dropout must be less than 1, not 1.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "dropout": 0.2, "dropout_from": 3}]},
            "ensembles[0].dropout_from must be 1 without dropout, and else a hidden layer, of "
            "which there are 2, not 3.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "dropout_from": 2}]},
            "ensembles[0].dropout_from must be 1 without dropout, and else a hidden layer, of "
            "which there are 2, not 2.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "initialization": "orthogonal"}]},
            "ensembles[0].initialization must be one of normal, uniform, standard_normal, not "
            "'orthogonal'.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "architecture": "resnet"}]},
            "ensembles[0].architecture must be one of fully_connected, convolutional, "
            "all_convolutional, widening_convolutional, vgg, package.module:function, not "
            "'resnet'.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "architecture": ["vgg", "mynet.make"]}]},
            "ensembles[0].architecture must be one of fully_connected, convolutional, "
            "all_convolutional, widening_convolutional, vgg, package.module:function, not "
            "'mynet.make'.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "pooling": ["none", "max"]}]},
            "ensembles[0].pooling must be 'none' where architecture is 'fully_connected', "
            "not 'max'.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "architecture": "convolutional", "depth": 6}]},
            "ensembles[0].depth must be from 3 to 5 where architecture is 'convolutional' and "
            "pooling is 'none', for images of 8 × 8 pixels, not 6.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "architecture": "convolutional", "crop": 2}]},
            "ensembles[0].architecture must be 'fully_connected' for images of 2 × 2 pixels, "
            "not 'convolutional'.",
        ),
        (
            {
                "ensembles": [{"dataset": "cifar10", "input_normalization": "each_channel"}],
                "measures": {"output_sensitivity": {}},
            },
            "input_normalization must not be 'each_channel' for images of several channels where "
            "output_sensitivity is taken, whose noise has one scale in an image.",
        ),
        (
            {
                "ensembles": [{"dataset": "digits"}, {"dataset": "digits", "architecture": "vgg"}],
                "measures": {"normalized_transitions": {"samples": 3}},
                "profiles": {"points": {}},
            },
            "architecture must be 'fully_connected' where normalized_transitions is taken, "
            "not 'vgg'.",
        ),
        (
            {
                "ensembles": [{"dataset": "digits", "architecture": "all_convolutional"}],
                "measures": {"normalized_transitions": {}, "output_entropy": {}},
                "profiles": {"ellipses": {}},
            },
            "architecture must be 'fully_connected' where ellipses, normalized_transitions are "
            "taken, not 'all_convolutional'.",
        ),
        (
            {"measures": {"jacobian": {}}},
            f"measures must be among {ALL}, not 'jacobian' (did you mean jacobian_norm?).",
        ),
        (
            {"profiles": {"point": {}}},
            f"profiles must be among {ALL}, not 'point' (did you mean points?).",
        ),
        (
            {"profiles": {"ellipses": {"angles": 100}}},
            "profiles.ellipses.angles must be a multiple of 6, not 100.",
        ),
        (
            {"similarities": {"cca": {}}},
            f"similarities must be among {SIMILARITIES}, not 'cca' (did you mean svcca or pwcca?).",
        ),
        (
            {"similarities": {"svcca": {"explained_variance": 0}}},
            "similarities.svcca.explained_variance must be greater than 0, not 0.",
        ),
        (
            {"similarities": {"svcca": {"pairs": ["over_time"]}}},
            "similarities.svcca.pairs[0] must be one of over_training, straight_line, "
            "between_seeds, between_ensembles, not 'over_time' (did you mean over_training?).",
        ),
        (
            {
                "ensembles": [{"dataset": "digits"}],
                "similarities": {"svcca": {"pairs": ["between_ensembles"]}},
            },
            "similarities.svcca.pairs must be among over_training, straight_line, "
            "between_seeds where no two ensembles see the same inputs, not ['between_ensembles'].",
        ),
        (
            {
                "ensembles": [{"dataset": "digits", "kept_steps": [1, 2]}],
                "similarities": {"svcca": {"pairs": ["over_training", "straight_line"]}},
            },
            "kept_steps must have 0 where similarities.svcca.pairs has straight_line, not [1, 2].",
        ),
        (
            {"comparisons": [{"setting": "colour", "better": 0, "worse": 1}]},
            f"comparisons[0].setting must be one of {ALL}, not 'colour'.",
        ),
        (
            {"comparisons": [{"setting": "width", "better": 0}]},
            "comparisons[0].worse must be given; the keys there are setting, better.",
        ),
        (
            {"papers": ["novak"]},
            f"papers[0] must be one of {among(PAPERS, 'novak')}.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "sample": {"size": 0}}]},
            "ensembles[0].sample.size must be at least 1, not 0.",
        ),
        (
            {"ensembles": [{"dataset": "digits", "sample": {"size": 2, "paired": ["widht"]}}]},
            "ensembles[0].sample.paired must be keys of the grid, not 'widht'.",
        ),
        (
            {"measures": {"tangent_sensitivity": {"reduction": "mean"}}},
            "measures.tangent_sensitivity.reduction must be sum, full or be an integer of at least "
            "0, not 'mean'.",
        ),
        (
            {"measures": {"jacobian_norm": {"samples": 0}}},
            "measures.jacobian_norm.samples must be at least 1, not 0.",
        ),
        (
            {"measures": {"weight_norm": {"samples": 5}}},
            "keys of measures.weight_norm must be among none, not 'samples'.",
        ),
        (
            {"measures": {"jacobian_norm": None}},
            "measures.jacobian_norm must be a mapping, not None.",
        ),
        (
            {"activations": {"layers": [3]}},
            "activations.layers must be less than the smallest depth, 3, not 3.",
        ),
        (
            {"statistics": {"level": 95}},
            "statistics.level must be less than 1, not 95.",
        ),
        (
            {"figures": {"color": "colour"}},
            f"figures.color must be one of {ALL}, not 'colour'.",
        ),
    ],
)
def test_bad_input_is_reported_in_one_sentence(change, sentence):
    with pytest.raises(InputError) as caught:
        read_study(CONFIG | change)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("key", ["study", "seeds", "ensembles", "measures"])
def test_missing_key_is_named(key):
    config = {name: value for name, value in CONFIG.items() if name != key}
    with pytest.raises(InputError, match=rf"^{key} must be given; the keys there are "):
        read_study(config)


def test_pairs_of_ensembles_are_listed_only_where_they_are_compared(monkeypatch):
    # A third of a million networks can be planned, the square of their ensembles cannot.
    def listed_all(*_):
        raise AssertionError("pairs are listed")

    monkeypatch.setattr("planning.Study.compared_blocks", listed_all)
    assert len(read_study(CONFIG).ensembles) == 2
