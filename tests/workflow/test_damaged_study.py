"""A damaged result of any kind is named, and made again with the same bits once it is deleted."""

import shutil

import pytest
from conftest import checkout
from small_study import CONFIG

CHANGES = {
    "ensembles": [CONFIG["ensembles"][0] | {"depth": [2, 3], "max_steps": 40}],
    "measures": {"weight_norm": {}},
    "profiles": {"image_errors": {}},
    "activations": {"samples": 60},
    "similarities": {"linear_cka": {"pairs": ["over_training"]}},
    "figures": {},
}
BLOCK, STUDY = "results/ensembles/*/seeds-1-1", "results/studies/study"
COMPARED = f"{BLOCK}/similarities/linear_cka*/over_training/*/seeds-1-1.csv"
CHECKSUM = (
    "InputError: {file} must have the contents of which .{name}.sha256 beside it is the checksum, "
    "but is damaged or was changed; without it the same command makes it again."
)

# Kind → the file, one that is made from it (the text of the front page is read by every plan), and
# what is said.
KINDS = {
    "dataset": (
        "results/datasets/digits.h5",
        f"{BLOCK}/measures/weight_norm.csv",
        "InputError: The dataset {file} must ",
    ),
    "networks": (
        f"{BLOCK}/networks.safetensors",
        f"{BLOCK}/measures/weight_norm.csv",
        "InputError: networks must be a whole safetensors file of this project, not '{file}' (",
    ),
    "activations": (
        f"{BLOCK}/activations*.h5",
        COMPARED,
        "InputError: activations must be a whole HDF5 file of this project, not '{file}' (",
    ),
    "measure": (f"{BLOCK}/measures/weight_norm.csv", f"{STUDY}/measures.csv", CHECKSUM),
    "profile": (f"{BLOCK}/profiles/image_errors.csv", f"{STUDY}/image_errors.csv", CHECKSUM),
    "similarity": (COMPARED, f"{STUDY}/similarities.csv", CHECKSUM),
    "collected": (f"{STUDY}/measures.csv", f"{STUDY}/statistics.csv", CHECKSUM),
    "summary": (
        f"{STUDY}/summary.txt",
        "",
        CHECKSUM.replace("InputError:", "InputError before anything is computed:"),
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The study with results of every kind, finished. Tests only read it."""
    folder = checkout(tmp_path_factory.mktemp("sound") / "study")
    folder.configure(**CHANGES)
    folder.snakemake()
    return folder


@pytest.fixture
def study(sound, tmp_path):
    """A copy of it, modification times included."""
    return sound.copied_to(tmp_path / "study")


def first(study, pattern):
    """The first file of a pattern, relative to the study."""
    return min(study.path.glob(pattern)).relative_to(study.path)


def made_again(study, file, target, sentence):
    """Whether a damaged file is named, and the same command makes it again without it."""
    command = ["--", str(target)] if target else []
    if target:
        (study.path / target).unlink()
    done = study.snakemake(*command, check=False)
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr
    (study.path / file).unlink()
    study.snakemake(*command)
    return study.results()


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named_and_made_again_with_the_same_bits(kind, study, sound):
    pattern, made_from_it, sentence = KINDS[kind]
    file = first(study, pattern)
    target = first(study, made_from_it) if made_from_it else None
    content = (study.path / file).read_bytes()
    # As after a power cut: the file has its size, but not all of its contents.
    whole = len(content) // 2
    (study.path / file).write_bytes(content[:whole] + bytes(len(content) - whole))
    told = sentence.format(file=file, name=file.name)
    assert made_again(study, file, target, told) == sound.results()


def test_networks_of_another_ensemble_are_named_before_they_are_measured(study, sound):
    file = first(study, f"{BLOCK}/networks.safetensors")
    other = max(study.path.glob(f"{BLOCK}/networks.safetensors"))
    shutil.copy(other, study.path / file)
    told = (
        f"InputError: {file} must hold networks of {file.parts[-3]} with seeds 1 to 1, not of "
        f"{other.parts[-3]} with seeds 1; without it the same command makes it again."
    )
    target = file.parent / "measures/weight_norm.csv"
    assert made_again(study, file, target, told) == sound.results()
