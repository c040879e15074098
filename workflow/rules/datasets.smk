rule prepare_dataset:
    output:
        "results/datasets/{dataset}.h5",
    log:
        "results/logs/prepare_dataset/{dataset}.log",
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
