# Cheap measures with default settings share a job; every other measure has its own. A changed setting
# therefore names another file and recomputes only that measure. For the same reason, the code and the
# settings of the shared job are those of all measures that may share it.

MEASURE_NETWORKS = (
    "run_script measure_networks --dataset {input.dataset} --networks {input.networks}"
    " --training {input.training} --measures {resources.measures} --settings {params.settings:q}"
    " --alone {params.alone} --device {resources.device} --threads {threads} {output}"
    " 2> >(tee {log} >&2)"
)


if study.sharing_measures:

    rule measure_networks:
        input:
            dataset=ancient(dataset_of_ensemble),
            networks=f"{BLOCK}/networks.safetensors",
            training=f"{BLOCK}/training.csv",
        output:
            expand(
                f"{BLOCK}/measures/{{measure}}.csv",
                measure=study.sharing_measures,
                allow_missing=True,
            ),
        log:
            "results/logs/measure_networks/{ensemble}-{block}.log",
        group:
            together("measure_networks")
        conda:
            "../../environment.yml"
        threads: asked("measure_networks", "threads")
        resources:
            mem_mb=asked("measure_networks", "mem_mb"),
            runtime=asked("measure_networks", "runtime"),
            gpu=asked("measure_networks", "gpu"),
            device=asked("measure_networks", "device"),
            measures=" ".join(map(place_of, study.sharing_measures)),
        params:
            dataset=contents_of_dataset,
            code=measure_code(*SHARE_A_JOB),
            settings=json.dumps(
                {measure: settings_of(measure) for measure in SHARE_A_JOB}
            ),
            alone=drawn_alone(*SHARE_A_JOB),
        message:
            "Compute the cheap measures of ensemble {wildcards.ensemble}, {wildcards.block}."
        shell:
            MEASURE_NETWORKS


rule measure_networks_alone:
    input:
        dataset=ancient(dataset_of_ensemble),
        networks=f"{BLOCK}/networks.safetensors",
        training=f"{BLOCK}/training.csv",
    output:
        f"{BLOCK}/measures/{{measure}}.csv",
    log:
        "results/logs/measure_networks/{ensemble}-{block}-{measure}.log",
    wildcard_constraints:
        measure=any_of(study.lone_measures),
    group:
        together("measure_networks_alone")
    conda:
        "../../environment.yml"
    threads: asked("measure_networks_alone", "threads")
    resources:
        mem_mb=asked("measure_networks_alone", "mem_mb"),
        runtime=asked("measure_networks_alone", "runtime"),
        gpu=asked("measure_networks_alone", "gpu"),
        device=asked("measure_networks_alone", "device"),
        measures=lambda wildcards: place_of(named(wildcards.measure)),
    params:
        dataset=contents_of_dataset,
        code=lambda wildcards: measure_code(study.measures[wildcards.measure][0]),
        settings=lambda wildcards: json.dumps(dict([study.measures[wildcards.measure]])),
        alone=lambda wildcards: drawn_alone(named(wildcards.measure)),
    message:
        "Compute {wildcards.measure} of ensemble {wildcards.ensemble}, {wildcards.block}."
    shell:
        MEASURE_NETWORKS


rule collect_measures:
    input:
        training=of_all_blocks("training.csv"),
        measures=[
            table
            for measure in study.measures
            for table in of_all_blocks(f"measures/{measure}.csv")
        ],
    output:
        measures=f"{STUDY}/measures.csv",
        training=f"{STUDY}/training.csv",
        computed_on=computed_on("measures"),
    log:
        f"results/logs/collect_measures/{study.name}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/collect_measures.py"),
        # Grids instead of files: thousands of paths do not fit a command line.
        grids=json.dumps(config["ensembles"]),
        measures=list(study.measures),
        seeds=study.seeds,
    message:
        "Collect the measures of all ensembles in one table."
    shell:
        "run_script collect_measures --ensembles results/ensembles"
        " --grids {params.grids:q} --seeds {params.seeds} --measures {params.measures}"
        " --output-measures {output.measures} --output-training {output.training}"
        " --output-computed-on {output.computed_on}"
        " 2> >(tee {log} >&2)"
