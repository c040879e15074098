"""Any value at any key of a configuration is accepted or refused in one sentence."""

import copy
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml
from planning import _check_size, _size_of, check_config_files, read_study
from schema import SCHEMA, settings_of

from generalization.errors import InputError

DEFINITIONS = SCHEMA["$defs"]
SMOKE = yaml.safe_load(Path("config/smoke.yaml").read_text())
PARTS = ("measures", "profiles", "similarities")
SINGLE = ("statistics", "figures", "activations", "fitting", "regularization")
KEYS = [
    *((key,) for key in SCHEMA["properties"]),
    *(("ensembles", 0, key) for key in DEFINITIONS["hyperparameters"]["properties"]),
    *(("ensembles", 0, "sample", *key) for key in ((), ("size",), ("seed",), ("paired",))),
    *((part, name) for part in PARTS for name in DEFINITIONS[part]["properties"]),
    *(
        (part, name, key)
        for part in PARTS
        for name in DEFINITIONS[part]["properties"]
        for key in settings_of(name)
    ),
    *((part, key) for part in SINGLE for key in settings_of(part)),
]
VALUES = [
    *(10**400, -(10**400), 10**5000, 2**64, -1, 0, 1e308, 5e-324, float("nan"), float("inf")),
    *("", "a" * 10_000, "../../x", "$(exit 1)", "; exit 1", "\n", "\0", "1e-2", "ü"),
    *(None, True, [], {}, [[]], [None], [{}], ["x"], [10**400], [float("nan")], ["sample"]),
    *({"a": {}}, {1: 2}, {None: None}, date(2020, 1, 1)),
]


def placed(config, path, value):
    """A configuration in which one key has another value."""
    config = copy.deepcopy(config)
    *outer, last = path
    part = config
    for key in outer:
        if isinstance(part, dict) and part.get(key) is None:
            part[key] = {"size": 2} if key == "sample" else {}
        part = part[key]
    part[last] = value
    return config


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}")
def test_any_value_at_any_key_is_read_or_refused_in_one_sentence(value):
    for path in KEYS:
        try:
            read_study(placed(SMOKE, path, value), ["config/smoke.yaml"])
        except InputError as error:
            assert "\n" not in str(error), path
            assert len(str(error)) < 1_000, path


def test_nothing_can_be_computed_with_an_integer_of_many_digits():
    config = placed(SMOKE, ("ensembles", 0, "learning_rate"), 10**400)
    with pytest.raises(InputError) as error:
        read_study(config, ["config/smoke.yaml"])
    zeros = "0" * 50
    assert str(error.value) == (
        "ensembles[0].learning_rate must be at most 9223372036854775807 in size, not "
        f"1{'0' * 99} … {zeros}."
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "seeds: 1\nstudy: s\nseeds: 2\n",
            "must have every key once, not 'seeds' in lines 1 and 3.",
        ),
        (
            "measures:\n  weight_norm: {}\n  weight_norm: {}\n",
            "must have every key once, not 'weight_norm' in lines 2 and 3.",
        ),
        ("study: " + "[" * 2_000 + "]" * 2_000, "must be nested less deeply to be read."),
        ("a: &a [1, *a]\n", "must have values that can be read: Circular reference detected."),
        ("seeds: 1" + "0" * 5_000, "must have values that can be read: Exceeds the limit (4300"),
        ("study: caf\xe9".encode("latin-1"), "must be text in UTF-8, but is not: 'utf-8' codec"),
        ("study: s".encode("utf-16"), "must be text in UTF-8, but is not: 'utf-8' codec"),
        ("study: a\0b", "must be YAML: unacceptable character #x0000"),
        (
            "__use_yte__: true\nseeds: ?print(1)\n",
            "must have no key '__use_yte__', by which a file runs code.",
        ),
    ],
    ids=["top", "nested", "deep", "itself", "digits", "latin", "utf-16", "nul", "code"],
)
def test_a_file_that_would_be_read_otherwise_than_it_stands(tmp_path, text, sentence):
    file = tmp_path / "study.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as error:
        check_config_files([file])
    assert str(error.value).startswith(f"{file} {sentence}")


def test_a_file_is_checked_before_snakemake_reads_it(tmp_path):
    """Commands of make begin with it: Snakemake would run the code, and fail in deep lists."""
    file = tmp_path / "study.yaml"
    file.write_text(f"__use_yte__: true\nseeds: ?open('{tmp_path}/ran', 'w').write('x')\n")
    command = [sys.executable, "workflow/schema.py", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"InputError: {file} must have no key '__use_yte__', by which a file runs code.\n"
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("command", ["study", "report", "export", "estimate"])
def test_a_command_of_make_checks_the_file_first(command):
    words = ["make", "--dry-run", command, "STUDY=mine"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if "config/mine.yaml" in line]
    assert lines[0] == "python workflow/schema.py config/mine.yaml"
    assert len(lines) > 1


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError) as error:
        check_config_files([tmp_path / "study.yaml"])
    assert str(error.value) == (
        f"{tmp_path}/study.yaml must be a file that can be read: No such file or directory."
    )


def test_merged_keys_may_be_written_over(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("base: &base {width: 1, depth: 2}\nother:\n  <<: *base\n  width: 3\n")
    check_config_files([file])


def sweep(count):
    return [place / 1e6 for place in range(1, count + 1)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"seeds": 2**63 - 1},
            "seeds must be at most 250000 for 4 ensembles (limits.networks, 1000000, can be "
            "raised), not 9223372036854775807.",
        ),
        (
            {"seeds": 11, "ensembles": [{"dataset": "digits"}], "limits": {"networks": 10}},
            "seeds must be at most 10 for 1 ensemble (limits.networks, 10, can be raised), not 11.",
        ),
        (
            {
                "ensembles": [
                    {
                        "dataset": "digits",
                        "learning_rate": sweep(300),
                        "weight_decay": sweep(300),
                        "momentum": sweep(200),
                    }
                ]
            },
            "ensembles must be at most 100000 (limits.ensembles, which can be raised), not "
            "18000000.",
        ),
        (
            {
                "ensembles": [
                    {
                        "dataset": "digits",
                        "learning_rate": sweep(50),
                        "weight_decay": sweep(50),
                        "depth": [2, 3],
                        "sample": {"size": 30, "paired": ["depth"]},
                    },
                    {"dataset": "digits"},
                ],
                "limits": {"ensembles": 60},
            },
            "ensembles must be at most 60 (limits.ensembles, which can be raised), not 61.",
        ),
    ],
    ids=["seeds", "limit", "sweep", "sample"],
)
def test_a_study_that_memory_could_not_plan_is_refused_before(changes, sentence):
    with pytest.raises(InputError) as error:
        read_study(SMOKE | changes, ["config/smoke.yaml"])
    assert str(error.value) == sentence


def test_the_largest_study_of_a_paper_may_be_planned():
    config = yaml.safe_load(Path("config/novak_large.yaml").read_text())
    first, *others = config["ensembles"]
    whole = [first | {"sample": first["sample"] | {"size": 10_205}}, *others]
    # Some combinations stand in several grids: 335,712 networks differ.
    assert config["seeds"] * sum(map(_size_of, whole)) == 337_440
    _check_size(config | {"ensembles": whole})
