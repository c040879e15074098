# One job measures the pairs of two blocks of seeds, so that adding seeds computes only new pairs. A
# block is also paired with itself. As for measures of networks, those with default settings share a job.

PAIRED = f"{BLOCK}/pairs/{{other_block}}"
MEASURE_PAIRS = (
    "run_script measure_pairs --dataset {input.dataset} --networks {input.networks}"
    " --measures {resources.measures} --settings {params.settings:q}"
    " --device {resources.device} --threads {threads} {output} 2> >(tee {log} >&2)"
)


if study.sharing_ensemble_measures:

    rule measure_pairs:
        input:
            dataset=ancient(dataset_of_ensemble),
            networks=networks_of_pair,
        output:
            expand(
                f"{PAIRED}/{{measure}}.csv",
                measure=study.sharing_ensemble_measures,
                allow_missing=True,
            ),
        log:
            "results/logs/measure_pairs/{ensemble}-{block}-{other_block}.log",
        group:
            together("measure_pairs")
        conda:
            "../../environment.yml"
        threads: asked("measure_pairs", "threads")
        resources:
            mem_mb=asked("measure_pairs", "mem_mb"),
            runtime=asked("measure_pairs", "runtime"),
            gpu=asked("measure_pairs", "gpu"),
            device=asked("measure_pairs", "device"),
            measures=" ".join(map(place_of, study.sharing_ensemble_measures)),
        params:
            dataset=contents_of_dataset,
            code=fingerprint(
                "scripts/measure_pairs.py", *map(file_of, ENSEMBLE_MEASURES)
            ),
            settings=json.dumps(
                {measure: settings_of(measure) for measure in ENSEMBLE_MEASURES}
            ),
        message:
            "Measure pairs of seeds of ensemble {wildcards.ensemble}, {wildcards.block} and "
            "{wildcards.other_block}."
        shell:
            MEASURE_PAIRS


rule measure_pairs_alone:
    input:
        dataset=ancient(dataset_of_ensemble),
        networks=networks_of_pair,
    output:
        f"{PAIRED}/{{measure}}.csv",
    log:
        "results/logs/measure_pairs/{ensemble}-{block}-{other_block}-{measure}.log",
    wildcard_constraints:
        measure=any_of(study.lone_ensemble_measures),
    group:
        together("measure_pairs_alone")
    conda:
        "../../environment.yml"
    threads: asked("measure_pairs_alone", "threads")
    resources:
        mem_mb=asked("measure_pairs_alone", "mem_mb"),
        runtime=asked("measure_pairs_alone", "runtime"),
        gpu=asked("measure_pairs_alone", "gpu"),
        device=asked("measure_pairs_alone", "device"),
        measures=lambda wildcards: place_of(named(wildcards.measure)),
    params:
        dataset=contents_of_dataset,
        code=lambda wildcards: fingerprint(
            "scripts/measure_pairs.py", file_of(named(wildcards.measure))
        ),
        settings=lambda wildcards: json.dumps(
            dict([study.ensemble_measures[wildcards.measure]])
        ),
    message:
        "Compute {wildcards.measure} of pairs of seeds of ensemble {wildcards.ensemble}, "
        "{wildcards.block} and {wildcards.other_block}."
    shell:
        MEASURE_PAIRS


if study.ensemble_measures:

    rule collect_ensemble_measures:
        input:
            of_all_pairs(),
        output:
            table=f"{STUDY}/ensemble_measures.csv",
            computed_on=computed_on("ensemble_measures"),
        log:
            f"results/logs/collect_ensemble_measures/{study.name}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=fingerprint("scripts/collect_ensemble_measures.py"),
            grids=json.dumps(config["ensembles"]),
            measures=list(study.ensemble_measures),
            seeds=study.seeds,
        message:
            "Collect the measures of all pairs of seeds in one table."
        shell:
            "run_script collect_ensemble_measures --ensembles results/ensembles"
            " --grids {params.grids:q} --seeds {params.seeds} --measures {params.measures}"
            " --output {output.table} --output-computed-on {output.computed_on}"
            " 2> >(tee {log} >&2)"
