rule prepare_dataset:
    output:
        "results/datasets/{dataset}.h5",
    log:
        "results/logs/prepare_dataset/{dataset}.log",
    group:
        together("prepare_dataset")
    conda:
        "../../environment.yml"
    threads: asked("prepare_dataset", "threads")
    resources:
        mem_mb=asked("prepare_dataset", "mem_mb"),
        runtime=asked("prepare_dataset", "runtime"),
        gpu=asked("prepare_dataset", "gpu"),
        data_root=study.data_root or "",
    params:
        code=lambda wildcards: fingerprint(
            "scripts/prepare_dataset.py",
            file_of(wildcards.dataset),
        ),
    message:
        "Prepare {wildcards.dataset}: read, verify, shuffle, normalize."
    shell:
        "run_script prepare_dataset {wildcards.dataset} --data-root={resources.data_root:q}"
        " --output {output} 2> >(tee {log} >&2)"


# Changed contents are prepared before planning, see `restore_datasets`: what trains on a dataset that this
# rule makes again would not be planned.
if study.own_datasets:

    rule prepare_own_dataset:
        output:
            "results/datasets/{dataset}.h5",
        log:
            "results/logs/prepare_dataset/{dataset}.log",
        wildcard_constraints:
            dataset="|".join(study.own_datasets),
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=60,
            about=lambda wildcards: json.dumps(
                study.own_datasets[wildcards.dataset].about
            ),
            path=lambda wildcards: ":".join(
                study.own_datasets[wildcards.dataset].folders
            ),
            sha256=lambda wildcards: study.own_datasets[wildcards.dataset].sha256,
        message:
            "Prepare {wildcards.dataset}: read, check, shuffle, normalize."
        shell:
            "run_script prepare_own_dataset {wildcards.dataset} --about={resources.about:q}"
            " --path={resources.path:q} --sha256 {resources.sha256} --output {output} 2> >(tee {log} >&2)"

    ruleorder: prepare_own_dataset > prepare_dataset
