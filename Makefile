# study · report · test · check · format · bench · lock     make study STUDY=smoke   runs config/smoke.yaml
# measure                                                   make measure NAME=…      starts a new measure
# stub                                                      make stub               types of public names
# export                                                    make export STUDY=…      Parquet and data dictionary
# docs                                                      make docs                results/documentation/site
# properties · ratios                                       what pages say of costs, invariances and benchmarks
# mutations                                                 make mutations           small faults that tests notice
# estimate                                                  make estimate STUDY=…    what a study costs
# findings                                                  make findings            all studies on one page
# paper                                                     make paper PAPER=…       studies of a paper, on one page
# values                                                    make values            the papers' values beside ours
# audit                                                     make audit               a card of every measure
# league                                                    make league TABLE=…      ranks measures of a CSV table
STUDY ?= study
CORES ?= 2
PYTHON ?= python3
UV := .tools/bin/uv
REPORT := results/studies/$(STUDY)/report.html
# Progress bars per rule in an interactive terminal.
LOGGER := $(shell [ -t 1 ] && echo --logger rich)
SNAKEMAKE := snakemake --cores $(CORES) --configfile config/$(STUDY).yaml
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: checked study estimate report test check format measure stub export findings paper audit values league \
    docs properties bench ratios mutations lock
.DELETE_ON_ERROR:

# A configuration of others may hold code, which Snakemake would run.
checked: .venv/.ready
	@python workflow/schema.py config/$(STUDY).yaml

study: checked
	@python workflow/rates.py results/rates.json
	@$(SNAKEMAKE) --quiet --workflow-profile workflow/profiles/local datasets
	@$(SNAKEMAKE) $(LOGGER) --workflow-profile workflow/profiles/local
	@$(MAKE) --no-print-directory report

# Jobs, work, time, memory and disk of a study by rule, from scratch.
# Rates of a core and of a GPU are measured once per machine.
estimate: checked
	@python workflow/rates.py results/rates.json
	@python workflow/estimate.py config/$(STUDY).yaml

# Rebuild the report if a result, a caption or the configuration is newer.
report: checked
	@if [ ! -e $(REPORT) ] || [ -n "$$(find results/studies/$(STUDY) workflow/report config/$(STUDY).yaml \
	    generalization/experiments -type f ! -name '*.py*' -newer $(REPORT) -print -quit)" ]; then \
	    PYTHONPATH=. python workflow/write_report.py $(REPORT) $(SNAKEMAKE) --quiet; fi
	@echo "The report is $(REPORT)"

# All tests, file by file in one process more than cores, since those of Slurm wait most of the time;
# or some in one process: make test ARGS=tests/units
test: .venv/.ready
	@python -m pytest $(or $(ARGS),--numprocesses $$(($(CORES) + 1)) --dist loadfile --no-loadscope-reorder)

check: .venv/.ready
	@ruff format --check .
	@ruff check .
	@snakefmt --check Snakefile workflow/rules
	@snakemake --lint
	@echo "All checks passed."

format: .venv/.ready
	@ruff format .
	@ruff check --fix .
	@snakefmt Snakefile workflow/rules

# Skeletons of a measure and of its test: make measure NAME=gradient_norm.
measure: .venv/.ready
	@python workflow/new_measure.py $(NAME)

# Types of the public names, of which editors and type checkers read generalization/__init__.pyi.
stub: .venv/.ready
	@python workflow/write_stub.py

# Describe the columns of the tables of a study, and write these as Parquet.
export: checked
	@$(SNAKEMAKE) --quiet -- results/studies/$(STUDY)/columns.csv

# Record what studies with results have found in docs/findings; join all records in one page.
findings: .venv/.ready
	@$(SNAKEMAKE) --quiet --forcerun record_findings --force -- docs/findings.md

# Run the reduced studies of a paper, and show its claims and figures on one page.
paper: .venv/.ready
	@set -e; studies=$$(python workflow/papers.py $(PAPER)); for study in $$studies; do \
	    $(MAKE) --no-print-directory study STUDY=$$study; done
	@$(SNAKEMAKE) --quiet --force -- results/papers/$(PAPER).html
	@echo "The page is results/papers/$(PAPER).html"

# Compare the values of all studies with those of their papers, docs/values.md.
values: .venv/.ready
	@python workflow/values.py

# Check every measure, and write its card to docs/audit.md: formula, invariances, cost, fragility.
AUDIT := snakemake --cores $(CORES) --configfile config/audit.yaml --workflow-profile workflow/profiles/local
audit: .venv/.ready
	@$(AUDIT) --quiet -- datasets
	@$(AUDIT) $(LOGGER) --force -- docs/audit.md

# Rank the measures of any table with one row per network, whose hyper-parameters are named:
# make league TABLE=theirs.csv HYPERPARAMETERS="width depth" BASELINES=norm TEST_SIZE=10000
league: .venv/.ready
	@python scripts/league_of_table.py $(TABLE) --hyperparameters $(HYPERPARAMETERS) \
	    --baselines $(BASELINES) $(if $(TEST_SIZE),--test-size $(TEST_SIZE)) \
	    --output results/leagues/$(basename $(notdir $(TABLE)))

# Count the costs of everything, and find what changes profiles, for their pages; about six minutes.
properties: .venv/.ready
	@PYTHONPATH=. python docs/counted_costs.py
	@PYTHONPATH=. python docs/profile_changes.py

# Make the pages and build the site from them, without network.
docs: export NO_MKDOCS_2_WARNING = 1
docs: .venv/.ready
	@PYTHONPATH=. python docs/pages.py
	@mkdocs build --config-file docs/mkdocs.yml
	@echo "The documentation is results/documentation/site/index.html"

# Those that time something.
BENCHMARKS := $(filter-out $(addprefix %/,timing.py mutations.py kills.py slurm_faults.py \
    known_truth.py record.py),$(wildcard benchmarks/*.py))
bench: .venv/.ready
	@set -e; for benchmark in $(or $(ARGS),$(BENCHMARKS)); do \
	    echo; echo "== $$benchmark"; python $$benchmark; done

# Run those that print ratios twice, and record the ratios for the page of benchmarks.
ratios: .venv/.ready
	@python benchmarks/record.py $(ARGS)

# Change operators, bounds and constants of the statistics one at a time: do tests notice?
mutations: .venv/.ready
	@python benchmarks/mutations.py $(ARGS)

# Lock all versions and hashes. Run it after changing the dependencies in pyproject.toml.
lock: $(UV)
	@$(UV) pip compile -q --universal --python-version 3.11 --all-extras --generate-hashes \
	    --no-emit-index-url --no-header pyproject.toml -o requirements.lock

$(UV):
	@$(PYTHON) -m pip install -q --disable-pip-version-check --root-user-action ignore --target .tools uv==0.13.8

.venv/.ready: requirements.lock pyproject.toml $(UV)
	@[ -d .venv ] || $(UV) venv -q -p $(PYTHON) .venv
	@$(UV) pip sync -q --require-hashes --compile-bytecode -p .venv requirements.lock
	@$(UV) pip install -q --no-deps --no-build-isolation -p .venv -e .
	@touch $@
