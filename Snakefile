# Which measurable property of a trained network predicts how well it generalizes?
#
# A study is a file in config/: `snakemake --cores 2 --configfile config/smoke.yaml`.
# Its keys are documented in workflow/schemas/study.schema.yaml.
import gc
import hashlib
import inspect
import json
import os
import shlex
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, update_config

from generalization.blocks import paired_blocks, seed_blocks
from generalization.catalog import (
    ENSEMBLE_MEASURES,
    FIGURES,
    MEASURES,
    PAPERS,
    PROFILES,
    SETTINGS,
    SIMILARITIES,
    TABLES,
    caption_of,
    file_of,
    place_of,
    seen_by,
)
from generalization.errors import InputError
from generalization.experiments import claims_of
from generalization.files import read_checked
from generalization.names import readable

sys.path.insert(0, f"{workflow.basedir}/workflow")
import papers
from about import about, definition_of, headline_of, is_reported, titles_of
from check_catalog import NAME, check_catalog
from environment import check_environment, run_scripts
from estimate import Estimate, headline, impossible, told_gpus
from fingerprint import fingerprint
from gpus import visible_gpus
from own_code import let_jobs_import_from
from planning import (
    SHARE_A_JOB,
    check_config_files,
    read_study,
)
from provenance import dataset_digest
from rates import read_gpu_rates, read_rates
from scheduling import inspect_functions_once, one_timer_at_a_time
from schema import settings_of, typed
from submissions import are_submitted, submit_short_jobs_together
from watchdog import watch

min_version("9.27")
one_timer_at_a_time()
inspect_functions_once()

# Planning creates millions of objects that all stay, through which the collector of garbage would go
# again and again.
gc.set_threshold(100_000, 50, 100)


if not workflow.configfiles:

    configfile: f"{workflow.basedir}/config/study.yaml"


try:
    check_environment()
    check_catalog()
    check_config_files(workflow.configfiles)
    update_config(config, typed(workflow.config_settings.config))
    study = read_study(config, workflow.configfiles)
    summary = Path("results/studies", study.name, "summary.txt")
    lines = read_checked(summary).decode().splitlines() if summary.exists() else []
except InputError as error:
    sys.exit(f"InputError before anything is computed: {error}")

if study.architectures:
    let_jobs_import_from(study.folders)

on_cluster = workflow.remote_exec
gpus = [] if on_cluster or study.device == "cpu" else visible_gpus()
if gpus and workflow.is_main_process and are_submitted(sys.argv[1:]):
    gpus, on_cluster = [], True
estimate = Estimate(
    study, read_rates(study.rates), len(gpus), on_cluster, gpu=read_gpu_rates()
)
if gpus and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", len(gpus))
submissions = submit_short_jobs_together(workflow, estimate)

# `run_script NAME` in a shell command works in any working directory; commands stay the same when the
# repository moves.
RUN = run_scripts(deployed=bool(workflow.deployment_settings.deployment_method))
MEMORY = study.limits["gpu_memory_gb"]
MEMORY = f"export GENERALIZATION_GPU_GB={MEMORY}; " if MEMORY else ""
# At SIGTERM a script may have work to bring to a safe place, and something to say: the shell and
# `tee` wait for it.
AT_SIGTERM = 'trap : TERM; tee() ( trap "" TERM; exec tee "$@" ); '
shell.prefix(
    f'{MEMORY}{AT_SIGTERM}run_script() {{{{ {RUN}/"$1".py "${{{{@:2}}}}"; }}}}; '
)

STUDY = f"results/studies/{study.name}"
figures, pages = study.figures_and_pages
BLOCK = "results/ensembles/{ensemble}/{block}"

# Values used by captions and by the front page of the report.
config["title"] = study.title
config["statistics"] = study.statistics
config["fitting"] = study.fitting
config |= about(study, workflow.configfiles, reported=is_reported(sys.argv[1:]))
config["summary"] = lines


report: "workflow/report/study.rst"


wildcard_constraints:
    dataset=NAME,
    ensemble=r"[a-z0-9_]+-[0-9a-f]{8}",
    block=r"seeds-\d+-\d+",
    other=r"[a-z0-9_]+-[0-9a-f]{8}",
    other_block=r"seeds-\d+-\d+",
    measure=rf"{NAME}(-[0-9a-f]{{8}})?",
    profile=rf"{NAME}(-[0-9a-f]{{8}})?",
    similarity=rf"{NAME}(-[0-9a-f]{{8}})?",
    pairs=r"[a-z_]+",
    figure=NAME,
    table=NAME,
    network=r"[a-z0-9_]+-\d+-[0-9a-f]{8}",
    paper=NAME,


include: "workflow/rules/common.smk"


if study.own:

    include: "workflow/rules/own_networks.smk"

else:

    include: "workflow/rules/datasets.smk"
    include: "workflow/rules/ensembles.smk"
    include: "workflow/rules/measures.smk"
    include: "workflow/rules/ensemble_measures.smk"
    include: "workflow/rules/audit.smk"
    include: "workflow/rules/profiles.smk"
    include: "workflow/rules/similarities.smk"


include: "workflow/rules/statistics.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/findings.smk"


rule all:
    default_target: True
    input:
        [file for figure in figures for file in drawn(figure).values()],
        rules.lay_out_tables.output,
        f"{STUDY}/summary.txt",
        of_all_blocks(study.activations_file) if study.records_all else [],
        tables("similarities") if study.similarities else [],
        tables(*study.profiles),
    localrule: True


rule datasets:
    input:
        [f"results/datasets/{dataset}.h5" for dataset in sorted(study.classes)],
    localrule: True


onstart:
    refuse_read_only_results()
    tell_costs()
    watch_over_queue()


onsuccess:
    report_prepared_datasets()


onerror:
    report_prepared_datasets()
