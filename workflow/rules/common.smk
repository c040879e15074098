# What the rules ask of the study.
def named(file):
    """The measure, profile or similarity of a file, whose settings its name may tell after it."""
    return file.split("-")[0]


def caption_of(name):
    """File with the caption of a figure or a table, relative to the rules."""
    beside = (
        Path(file_of(name)).with_suffix(".rst") if name in FIGURES | TABLES else None
    )
    if beside and beside.parts[1] == "experiments":
        return f"../../{beside}"
    return f"../report/{name}.rst"


def of_all_blocks(file):
    """A file of every block of seeds of every ensemble of the study."""
    return [
        f"results/ensembles/{ensemble}/{block}/{file}"
        for ensemble in study.ensembles
        for block in seed_blocks(Path("results/ensembles", ensemble), study.seeds)
    ]


def dataset_of_ensemble(wildcards):
    return f"results/datasets/{study.ensembles[wildcards.ensemble].dataset}.h5"


def chosen_hyperparameters(wildcards):
    return json.dumps(study.ensembles[wildcards.ensemble].chosen)


def drawn(figure):
    """The files of a figure, maybe one per measure or factor, by what their label says."""
    if not FIGURES[figure].one_per:
        return {figure: f"{STUDY}/figures/{figure}.svg"}
    names = study.names_of_figures(figure)
    return {name: f"{STUDY}/figures/{figure}/{name}.svg" for name in names}


def tables(*names):
    """The files of tables of the study."""
    return [f"{STUDY}/{name}.csv" for name in names]


def made_from(table):
    """The files of tables that a table is made from."""
    names = set(TABLES[table].made_from)
    if table == "claims":
        names |= study.tables & {claim.table for claim in claims_of(study.rooms)}
    return tables(*sorted(names.difference(SETTINGS)))


def claim_files(table):
    """Files with the claims that a table judges."""
    rooms = dict.fromkeys(room for rooms in study.rooms.values() for room in rooms)
    files = [f"generalization/experiments/{room}/claims.py" for room in rooms]
    return files if table == "claims" else []


def settings_of_table(table):
    """Settings of a table of statistics, those of which it is made among them."""
    settings = {
        "comparisons": study.comparisons,
        "papers": study.rooms,
        "fitting": study.fitting,
    }
    chosen = {
        name: settings[name] for name in TABLES[table].made_from if name in settings
    }
    return study.statistics | {"classes": study.classes} | chosen


def taken_together(*measures):
    """Those that are given whole stacks of convolutional networks."""
    return [measure for measure in measures if MEASURES[measure].taken_together]


def modules_of(measures):
    """Module of every measure, which the script imports, by the name of its function."""
    return " ".join(f"{measure}={module_of(measure)}" for measure in measures)


def measure_code(*measures):
    """Fingerprint of the code of measures, which the script imports by name."""
    return fingerprint("scripts/measure_networks.py", *map(file_of, measures))


def recorded_for(profile):
    """The record that a profile reads, if it reads one."""
    recorded = PROFILES[named(profile)].recorded
    return f"{BLOCK}/{study.noisy_copies_file}" if recorded else []


def compared(similarity):
    """The files of a similarity, of all blocks of seeds that are compared."""
    blocks = study.compared_blocks(Path("results/ensembles"))
    folder = f"similarities/{study.similarity_file(similarity)}"
    return [
        f"results/ensembles/{ensemble}/{block}/{folder}/{pairs}/{other}/{other_block}.csv"
        for pairs in study.similarities[similarity]["pairs"]
        for ensemble, block, other, other_block in blocks[pairs]
    ]


def similarity_settings(wildcards):
    """Settings of a similarity, but for what is compared with what."""
    settings = dict(study.similarities[named(wildcards.similarity)])
    return json.dumps({key: settings[key] for key in settings if key != "pairs"})
