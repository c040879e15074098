# What the rules ask of the study.
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
    names = set(TABLES[table])
    if table == "claims":
        names |= study.tables & {claim.table for claim in claims_of(study.papers)}
    return tables(*sorted(names.difference(SETTINGS)))


def measure_code(*measures):
    """Fingerprint of the code of measures, which the script imports by name."""
    modules = (f"generalization/measures/{measure}.py" for measure in measures)
    return fingerprint("scripts/measure_networks.py", *modules)


def recorded_for(profile):
    """The record that a profile reads, if it reads one."""
    copies = profile.split("-")[0] == "noise_clouds"
    return f"{BLOCK}/{study.noisy_copies_file}" if copies else []


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
    settings = dict(study.similarities[wildcards.similarity.split("-")[0]])
    return json.dumps({key: settings[key] for key in settings if key != "pairs"})
