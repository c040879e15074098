"""A small study in a folder of its own, and Snakemake there."""

import os
import re
import shutil
from pathlib import Path

import yaml
from forked_snakemake import snakemake

ROOT = Path(__file__).parents[1]
SOURCES = ["Snakefile", "environment.yml", "generalization", "scripts", "workflow"]
CONFIG = {
    "study": "study",
    "seeds": 1,
    "ensembles": [{"dataset": "digits", "batch_size": 32, "width": 20, "depth": [2, 3]}],
    "measures": {
        "jacobian_norm": {},
        "weight_norm": {},
        "transitions": {"samples": 3},
    },
    "statistics": {"resamples": 100},
}


class StudyFolder:
    """A checkout with its results, in which Snakemake is run."""

    def __init__(self, path: Path):
        self.path = path

    def configure(self, **changes):
        (self.path / "config").mkdir(exist_ok=True)
        config = CONFIG | changes
        (self.path / "config/study.yaml").write_text(yaml.safe_dump(config))

    def copied_to(self, path):
        """A copy of it, modification times included."""
        shutil.copytree(self.path, path, symlinks=True)
        return StudyFolder(path)

    def results(self):
        """Contents of every result but for logs, by path."""
        files = (path for path in (self.path / "results").rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in files
            if "logs" not in path.parts
        }

    def edit(self, file, old, new):
        path = self.path / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    def snakemake(self, *arguments, check=True, folder=None):
        environment = {**os.environ, "PYTHONPATH": str(self.path)}
        done = snakemake(["--cores", "2", *arguments], folder or self.path, environment)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def planned(self, *arguments):
        """Rule → number of jobs that a dry run would start."""
        done = self.snakemake("--dry-run", *arguments)
        text = done.stdout + done.stderr
        table = re.search(r"^job +count\n[- ]+\n(.*?)^total", text, re.MULTILINE | re.DOTALL)
        if table is None:
            assert "Nothing to be done" in text, text
            return {}
        rows = (line.split() for line in table[1].splitlines())
        return {rule: int(count) for rule, count in rows if rule != "all"}


def checkout(path: Path) -> StudyFolder:
    """The sources of the project in a new folder, with the small study configured."""
    path.mkdir()
    for source in SOURCES:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy2
        copy(ROOT / source, path / source)
    (path / "slurm").symlink_to("workflow/profiles/slurm")
    folder = StudyFolder(path)
    folder.configure()
    return folder
