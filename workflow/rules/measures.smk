# Cheap measures with default settings share a job; any other has one of its own. So a setting that
# changes names another file, and takes that measure alone.
def measure_code(*files):
    """Fingerprint of the code of measures, which the script imports by name."""
    modules = (
        f"generalization/measures/{study.measures[file][0]}.py" for file in files
    )
    return fingerprint("scripts/measure_networks.py", *modules)


def measure_settings(*files):
    """Settings of measures, as JSON."""
    return json.dumps(dict(study.measures[file] for file in files))


MEASURE_NETWORKS = (
    "python scripts/measure_networks.py --dataset {input.dataset} --networks {input.networks}"
    f" --settings {{params.settings:q}} --device {study.device} --threads {{threads}}"
    " {output} 2> >(tee {log} >&2)"
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
        params:
            code=measure_code(*study.sharing_measures),
            settings=measure_settings(*study.sharing_measures),
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
    params:
        code=lambda wildcards: measure_code(wildcards.measure),
        settings=lambda wildcards: measure_settings(wildcards.measure),
    message:
        "Take {wildcards.measure} of ensemble {wildcards.ensemble}, {wildcards.block}."
    shell:
        MEASURE_NETWORKS


if study.sharing_measures:

    ruleorder: measure_networks > measure_networks_alone
