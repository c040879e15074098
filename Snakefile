# Which measurable property of a trained network predicts how well it generalizes?
#
# A study is a file in config/: `snakemake --cores 2 --configfile config/smoke.yaml`.
# Its keys are documented in workflow/schemas/study.schema.yaml.
import json
import sys
from pathlib import Path

from snakemake.utils import min_version

from generalization.catalog import (
    FIGURES,
    MEASURES,
    PROFILES,
    SETTINGS,
    SIMILARITIES,
    TABLES,
    file_of,
    module_of,
)
from generalization.errors import InputError
from generalization.experiments import claims_of

sys.path.insert(0, f"{workflow.basedir}/workflow")
from fingerprint import fingerprint
from planning import SHARE_A_JOB, assumptions, check_file_names, read_study, seed_blocks
from schema import settings_of

min_version("9.27")


if not workflow.configfiles:

    configfile: "config/study.yaml"


try:
    study = read_study(config)
    check_file_names(study, workflow.configfiles)
except InputError as error:
    sys.exit(f"InputError in the configuration: {error}")

STUDY = f"results/studies/{study.name}"
figures, pages = study.figures_and_pages
BLOCK = "results/ensembles/{ensemble}/{block}"

# Values used by captions and by the front page of the report.
summary = Path(STUDY, "summary.txt")
config["title"] = study.title
config["statistics"] = study.statistics
config["fitting"] = study.fitting
config["assumptions"] = assumptions(Path(workflow.basedir, "generalization"))
config["summary"] = summary.read_text().splitlines() if summary.exists() else []


report: "workflow/report/study.rst"


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    ensemble=r"[a-z0-9_]+-[0-9a-f]{8}",
    block=r"seeds-\d+-\d+",
    other=r"[a-z0-9_]+-[0-9a-f]{8}",
    other_block=r"seeds-\d+-\d+",
    measure=r"[a-z][a-z0-9_]*(-[0-9a-f]{8})?",
    profile=r"[a-z][a-z0-9_]*(-[0-9a-f]{8})?",
    similarity=r"[a-z][a-z0-9_]*(-[0-9a-f]{8})?",
    pairs=r"[a-z_]+",
    figure=r"[a-z][a-z0-9_]*",
    table=r"[a-z][a-z0-9_]*",


include: "workflow/rules/common.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/ensembles.smk"
include: "workflow/rules/measures.smk"
include: "workflow/rules/profiles.smk"
include: "workflow/rules/similarities.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        [file for figure in figures for file in drawn(figure).values()],
        [f"{STUDY}/tables/{page}.html" for page in pages],
        of_all_blocks(study.activations_file) if study.activations is not None else [],
        tables("similarities") if study.similarities else [],
    localrule: True
