# Input functions, parameters and file names of the rules.
def named(file):
    """Return the measure, profile or similarity of a file, without the hash of its settings."""
    return file.split("-")[0]


def caption(name):
    """Return the file with the caption of a figure or a table, relative to the rules."""
    return f"../../{caption_of(name)}"


def any_of(files):
    """Return the constraint of a wildcard to files; if there are none, nothing matches.

    Where two rules could make a file, Snakemake would create a job of each, and drop one.
    """
    return "|".join(files) or "(?!)"


@cache
def blocks_of(ensemble):
    """List the blocks of seeds of an ensemble, each short and small enough for one job."""
    most = estimate.most_seeds.get(ensemble)
    return seed_blocks(Path("results/ensembles", ensemble), study.seeds, most)


def of_all_blocks(file):
    """List a file of every block of seeds of every ensemble of the study."""
    return [
        f"results/ensembles/{ensemble}/{block}/{file}"
        for ensemble in study.ensembles
        for block in blocks_of(ensemble)
    ]


def of_all_pairs():
    """List the files of all ensemble measures, of every pair of blocks of every ensemble."""
    return [
        f"results/ensembles/{ensemble}/{block}/pairs/{other}/{measure}.csv"
        for ensemble in study.ensembles
        for block, other in paired_blocks(blocks_of(ensemble))
        for measure in study.ensemble_measures
    ]


def networks_of_pair(wildcards):
    """Return the networks of two blocks of an ensemble."""
    blocks = (wildcards.block, wildcards.other_block)
    return [
        f"results/ensembles/{wildcards.ensemble}/{block}/networks.safetensors"
        for block in blocks
    ]


def checked_networks():
    """Return the folder of the networks on which measures are checked."""
    ensemble = next(iter(study.ensembles))
    block, *_ = seed_blocks(Path("results/ensembles", ensemble), study.seeds)
    return f"results/ensembles/{ensemble}/{block}"


def dataset_of_ensemble(wildcards):
    return str(dataset_file(study.ensembles[wildcards.ensemble].dataset))


def contents_of_dataset(wildcards):
    """Return the digest of the dataset of an ensemble; if it changes, all is computed again.

    The file itself is an ancient input, so preparing it again with the same contents runs nothing
    else. The digest of one's own dataset is known before it is prepared.
    """
    dataset = study.ensembles[wildcards.ensemble].dataset
    if dataset in study.own_datasets:
        return study.own_datasets[dataset].sha256
    networks = Path(BLOCK.format(**wildcards), "networks.safetensors")
    return dataset_digest(Path(dataset_of_ensemble(wildcards)), [networks])


def dataset_file(dataset):
    return Path(f"results/datasets/{dataset}.h5")


def digests_of_datasets():
    """Return the digest of every dataset, from its file or from networks trained on it."""
    return {
        dataset: dataset_digest(
            dataset_file(dataset),
            (
                networks
                for name, ensemble in study.ensembles.items()
                if ensemble.dataset == dataset
                for networks in Path("results/ensembles", name).glob(
                    "seeds-*/networks.safetensors"
                )
            ),
        )
        for dataset in study.classes
    }


def restore_datasets():
    """Prepare datasets that were deleted after networks had been trained on them.

    So are datasets of the user whose contents have changed.

    This precedes planning: an ancient input that is missing counts as updated once it is prepared,
    so Snakemake would train all networks again for a single new measure.
    """
    for dataset, digest in digests_before.items():
        file = dataset_file(dataset)
        own = study.own_datasets.get(dataset)
        changed = own is not None and own.sha256 != digest
        if digest and (changed or not file.exists()):
            reason = "its source was changed" if changed else f"{file} was deleted"
            sys.stderr.write(f"Prepare {dataset} again, because {reason}.\n")
            if own is not None:
                script = "prepare_own_dataset"
                source = [
                    f"--about={json.dumps(own.about)}",
                    f"--path={':'.join(own.folders)}",
                    f"--sha256={own.sha256}",
                ]
            else:
                script = "prepare_dataset"
                source = [f"--data-root={study.data_root or ''}"]
            arguments = [dataset, *source, "--output", str(file)]
            done = subprocess.run(
                f"{RUN}/{script}.py {shlex.join(arguments)}", shell=True
            )
            if done.returncode and changed:
                sys.exit(1)  # Nothing may be trained on the former contents.


def report_prepared_datasets():
    """Ask for another run if this one has prepared a dataset on which networks were trained.

    Snakemake plans nothing downstream of an ancient input in the run that updates it. After
    ``snakemake datasets``, another run follows anyway.
    """
    if "datasets" in workflow.dag_settings.targets:
        return
    digests = digests_of_datasets()
    for dataset, before in digests_before.items():
        if dataset in study.own_datasets:
            continue  # Its contents were known when this run was planned.
        if before not in {"", digests[dataset]}:
            sys.stderr.write(
                f"The contents of {dataset} have changed: run the same command once more to "
                "recompute whatever was trained or measured on the former contents.\n"
            )
        elif (
            before
            and dataset_file(dataset).exists()
            and dataset_file(dataset).stat().st_mtime > planned_at
        ):
            sys.stderr.write(
                f"{dataset} was prepared again with the same contents: run the same command once "
                "more for whatever else has changed.\n"
            )


digests_before = digests_of_datasets()
restore_datasets()
planned_at = time.time()


def tell_costs():
    """Tell in one line what the study costs, and whether it can end, before its first job."""
    if not study.ensembles or "datasets" in workflow.dag_settings.targets:
        return
    sys.stderr.write(f"{headline(estimate)}\n")
    if estimate.gpus:
        sys.stderr.write(f"{told_gpus(estimate)}\n")
    problem = impossible(estimate, 1 + workflow.execution_settings.retries)
    if problem and workflow.non_local_exec:
        raise WorkflowError(f"Nothing was submitted: {problem}")
    if problem:
        sys.stderr.write(f"{problem}\n")


def refuse_read_only_results():
    """Refuse results that cannot be written to, before the first job."""
    if Path("results").is_dir() and not os.access("results", os.W_OK | os.X_OK):
        where = Path("results").resolve()
        raise WorkflowError(
            f"results must be a folder that can be written to, not {where}."
        )


def watch_over_queue():
    """Refuse a cluster on which jobs could not be followed; else watch over its queue."""
    problem = watch(workflow)
    if problem:
        raise WorkflowError(f"Nothing was submitted: {problem}")


def asked(rule, resource):
    """Return a number, or a function of the job, that a rule asks for, scaled with the attempt."""
    if resource in estimate.same_for_all:
        return estimate.same_for_all[resource]

    def asked_for(wildcards, attempt):
        found = estimate.asked(rule, dict(wildcards.items()), attempt)
        return (
            estimate.device(found) if resource == "device" else getattr(found, resource)
        )

    # Snakemake inspects it for every job; a signature that stands here needs no inspection.
    asked_for.__signature__ = inspect.signature(asked_for)
    return asked_for


def together(name, last=lambda wildcards: False):
    """Return the function that gives the group of a job of a rule: short ones are submitted as one."""

    def group(wildcards):
        known = dict(wildcards.items())
        return submissions.of(name, known, last=last(wildcards))

    return group


def code_of_training(wildcards):
    """Return the fingerprint of training, with that of the module of a user that builds networks."""
    code = fingerprint("scripts/train_ensemble.py")
    own = study.architectures.get(wildcards.ensemble)
    return f"{code}-{own.code}" if own else code


def chosen_hyperparameters(wildcards):
    return json.dumps(study.ensembles[wildcards.ensemble].chosen)


def drawn(figure):
    """Return label → file of a figure; there may be one per measure or factor."""
    if not FIGURES[figure].one_per:
        return {figure: f"{STUDY}/figures/{figure}.svg"}
    names = study.names_of_figures(figure)
    return {name: f"{STUDY}/figures/{figure}/{name}.svg" for name in names}


def tables(*names):
    """List the files of tables of the study."""
    return [f"{STUDY}/{name}.csv" for name in names]


def computed_on(table):
    """Return the file that tells on which devices a table of the study was computed."""
    return f"{STUDY}/computed_on/{table}.csv"


def all_computed_on():
    """List these files for all tables that are collected from blocks of seeds."""
    collected = [
        "measures",
        *("ensemble_measures" for _ in study.ensemble_measures),
        *("similarities" for _ in study.similarities),
        *study.profiles,
    ]
    return [computed_on(table) for table in dict.fromkeys(collected)]


# Checks of all measures, which reports of studies without checks of their own show.
CARRIED_CHECKS = Path(workflow.basedir, "generalization/audit/audit_checks.csv")


def made_from(table):
    """List the files of tables that a table is derived from."""
    names = set(TABLES[table].made_from)
    if table == "claims":
        names |= study.tables & {claim.table for claim in claims_of(study.rooms)}
    if table == "audit":
        names |= study.tables & {"audit_checks", "fragility"}
    carried = table == "audit" and not study.audit_checks
    # A checkout gives a file of the project a new time: its contents count, in code_of_table.
    others = [ancient(os.path.relpath(CARRIED_CHECKS))] if carried else []
    return tables(*sorted(names.difference(SETTINGS))) + others


def claim_files(table):
    """List the files with the claims that a table judges."""
    rooms = dict.fromkeys(room for rooms in study.rooms.values() for room in rooms)
    files = [f"generalization/experiments/{room}/claims.py" for room in rooms]
    return files if table == "claims" else []


def names_of_cards():
    """List what the study has cards of: all that it checks, or else all that it measures."""
    if study.audit_checks:
        return study.audit_checks["measures"]
    measures = {**study.measures, **study.ensemble_measures}.values()
    return list(dict.fromkeys([*(name for name, _ in measures), *study.similarities]))


def code_of_table(table):
    """Return the fingerprint of a table, with that of the checks that the project carries."""
    code = fingerprint("scripts/derive_table.py", file_of(table), *claim_files(table))
    if table != "audit" or study.audit_checks:
        return code
    return f"{code}-{hashlib.sha256(CARRIED_CHECKS.read_bytes()).hexdigest()[:8]}"


def settings_of_table(table):
    """Return the settings of a table of statistics, with those that it is derived from."""
    settings = {
        "comparisons": study.comparisons,
        "papers": study.rooms,
        "fitting": study.fitting,
        "regularization": study.regularization,
        "images": study.images,
    }
    chosen = {
        name: settings[name] for name in TABLES[table].made_from if name in settings
    }
    if table == "claims":
        chosen["untested_claims"] = study.untested_claims
    if table == "audit":
        checked = names_of_cards()
        chosen["definitions"] = {name: definition_of(name) for name in checked}
        chosen["sees"] = {name: seen_by(name) for name in checked}
    if TABLES[table].sweeps:
        chosen["nuisance"] = TABLES[table].sweeps
    return study.statistics | {"classes": study.classes} | chosen


def drawn_alone(*measures):
    """Select the measures that draw random numbers for each network alone."""
    return [measure for measure in measures if MEASURES[measure].drawn_alone]


def measure_code(*measures):
    """Compute the fingerprint of measures, which the script imports by name."""
    return fingerprint("scripts/measure_networks.py", *map(file_of, measures))


def seen_labels(page):
    """Return measure → labels that it sees, for a page about the measures of the study."""
    about = TABLES[page].made_from if page in TABLES else (page,)
    if {"measures", "statistics", "excluded"}.isdisjoint(about):
        return {}
    names = {**study.measures, **study.ensemble_measures}.values()
    return {name: seen_by(name) for name, _ in names}


def recorded_for(profile):
    """Return the record that a profile reads, if it reads one."""
    recorded = PROFILES[named(profile)].recorded
    return f"{BLOCK}/{study.noisy_copies_file}" if recorded else []


def compared(similarity):
    """List the files of a similarity, for all compared blocks of seeds."""
    blocks = study.compared_blocks(Path("results/ensembles"), estimate.most_seeds)
    folder = f"similarities/{study.similarity_file(similarity)}"
    return [
        f"results/ensembles/{ensemble}/{block}/{folder}/{pairs}/{other}/{other_block}.csv"
        for pairs in study.similarities[similarity]["pairs"]
        for ensemble, block, other, other_block in blocks[pairs]
    ]


def networks_on_line(wildcards):
    """Return the networks whose straight line from start to end is compared; else nothing."""
    block = "results/ensembles/{ensemble}/{block}".format(**wildcards)
    return f"{block}/networks.safetensors" if wildcards.pairs == "straight_line" else []


def similarity_settings(wildcards):
    """Return the settings of a similarity, without the pairs that are compared."""
    settings = dict(study.similarities[named(wildcards.similarity)])
    return json.dumps({key: settings[key] for key in settings if key != "pairs"})


CHAPTERS = dict.fromkeys(
    [
        "Overview",
        *(FIGURES[figure].chapter for figure in figures),
        "Tables",
        "Definitions",
    ]
)


def numbered(chapter):
    """Return a chapter with its number: Snakemake sorts chapters by name."""
    width = len(str(len(CHAPTERS)))
    return f"{list(CHAPTERS).index(chapter) + 1:0{width}d} {chapter}"


def exported_tables():
    """List the tables of the study that are made for other programs to read."""
    return sorted({*study.tables, "excluded"}.difference(SETTINGS))


def files_of_definitions():
    """Return ``table=file`` for every exported table that a function of the package makes."""
    return [
        f"{table}={file_of(table)}"
        for table in exported_tables()
        if table in TABLES | PROFILES
    ]


def headed(name, about):
    """Return how the report lists a result: its name in words, and what it shows.

    Both are one label: of two labels with two values each, as two figures of a chapter would have,
    the report makes switches, and fails at the combinations that are no result.
    """
    return f"{readable(name)}: {headline_of(about.split('-')[0])}"


def labels_of(figure, label):
    """Return what the report lists of a figure."""
    about = label if FIGURES[figure].one_per == "measure" else figure
    return {"figure": headed(label, about)}


def folder_of_findings(wildcards):
    """Return the folder of results of a study that has run here."""
    return Path(f"results/studies/{wildcards.finished}")


def recorded_files(wildcards):
    """List what a record is made from: tables, and the figures that carry the study."""
    folder = folder_of_findings(wildcards)
    tables = [folder / f"{name}.csv" for name in ("statistics", "training", "claims")]
    figures = [name for _, name, _ in papers.figures_of_study(folder)]
    drawn = [folder / f"figures/{name}.svg" for name in figures]
    return [str(file) for file in tables + drawn if file.is_file()]


def studies_of_paper(wildcards):
    """List the folders of the reduced studies of a paper."""
    return [
        f"results/studies/{one.name}" for one in papers.reduced_studies(wildcards.paper)
    ]


def results_of_paper(wildcards):
    """List the tables of these studies, and the figures that the paper has, too."""
    names = ("statistics.csv", "training.csv", "summary.txt", "claims.csv")
    folders = studies_of_paper(wildcards)
    figures = papers.figures_of(wildcards.paper)
    return [f"{folder}/{name}" for folder in folders for name in names] + [
        f"results/studies/{study}/figures/{figure}.svg"
        for _, figure, study, _ in figures
    ]


def titles_of_paper(wildcards):
    """Return study → title of the reduced studies of a paper."""
    return {one.name: one.title for one in papers.reduced_studies(wildcards.paper)}
