# Cheap measures with default settings share a job; any other has one of its own. So a setting that
# changes names another file, and takes that measure alone. For the same reason the code and the
# settings of the shared job are those of all measures that may share it.

MEASURE_NETWORKS = (
    "python scripts/measure_networks.py --dataset {input.dataset} --networks {input.networks}"
    " --modules {resources.modules} --settings {params.settings:q} --together {params.together}"
    " --device {resources.device} --threads {threads} {output} 2> >(tee {log} >&2)"
)


if study.sharing_measures:

    rule measure_networks:
        input:
            dataset=dataset_of_ensemble,
            networks=f"{BLOCK}/networks.safetensors",
        output:
            expand(
                f"{BLOCK}/measures/{{measure}}.csv",
                measure=study.sharing_measures,
                allow_missing=True,
            ),
        log:
            "results/logs/measure_networks/{ensemble}-{block}.log",
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=240,
            device=study.device,
            modules=modules_of(study.sharing_measures),
        params:
            code=measure_code(*SHARE_A_JOB),
            settings=json.dumps(
                {measure: settings_of(measure) for measure in SHARE_A_JOB}
            ),
            together=taken_together(*SHARE_A_JOB),
        message:
            "Measure ensemble {wildcards.ensemble}, {wildcards.block}."
        shell:
            MEASURE_NETWORKS


rule measure_networks_alone:
    input:
        dataset=dataset_of_ensemble,
        networks=f"{BLOCK}/networks.safetensors",
    output:
        f"{BLOCK}/measures/{{measure}}.csv",
    log:
        "results/logs/measure_networks/{ensemble}-{block}-{measure}.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
        device=study.device,
        modules=lambda wildcards: modules_of([named(wildcards.measure)]),
    params:
        code=lambda wildcards: measure_code(study.measures[wildcards.measure][0]),
        settings=lambda wildcards: json.dumps(dict([study.measures[wildcards.measure]])),
        together=lambda wildcards: taken_together(named(wildcards.measure)),
    message:
        "Take {wildcards.measure} of ensemble {wildcards.ensemble}, {wildcards.block}."
    shell:
        MEASURE_NETWORKS


if study.sharing_measures:

    ruleorder: measure_networks > measure_networks_alone
