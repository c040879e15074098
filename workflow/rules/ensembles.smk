rule train_ensemble:
    input:
        dataset=ancient(dataset_of_ensemble),
    output:
        networks=f"{BLOCK}/networks.safetensors",
        training=f"{BLOCK}/training.csv",
    log:
        "results/logs/train_ensemble/{ensemble}-{block}.log",
    group:
        together("train_ensemble")
    conda:
        "../../environment.yml"
    threads: asked("train_ensemble", "threads")
    resources:
        mem_mb=asked("train_ensemble", "mem_mb"),
        runtime=asked("train_ensemble", "runtime"),
        gpu=asked("train_ensemble", "gpu"),
        device=asked("train_ensemble", "device"),
    params:
        code=code_of_training,
        dataset=contents_of_dataset,
        hyperparameters=chosen_hyperparameters,
    message:
        "Train ensemble {wildcards.ensemble}, {wildcards.block}, one network per seed."
    shell:
        "run_script train_ensemble --dataset {input.dataset}"
        " --hyperparameters {params.hyperparameters:q} --seeds {wildcards.block}"
        " --code {params.code}"
        " --device {resources.device} --threads {threads}"
        " --networks {output.networks} --training {output.training} 2> >(tee {log} >&2)"


rule record_activations:
    input:
        dataset=ancient(dataset_of_ensemble),
        networks=f"{BLOCK}/networks.safetensors",
    output:
        f"{BLOCK}/{study.activations_file}",
    log:
        "results/logs/record_activations/{ensemble}-{block}.log",
    group:
        together("record_activations")
    conda:
        "../../environment.yml"
    threads: asked("record_activations", "threads")
    resources:
        mem_mb=asked("record_activations", "mem_mb"),
        runtime=asked("record_activations", "runtime"),
        gpu=asked("record_activations", "gpu"),
        device=asked("record_activations", "device"),
    params:
        code=fingerprint("scripts/record_activations.py"),
        dataset=contents_of_dataset,
        settings=json.dumps(study.activations),
    message:
        "Record activations of ensemble {wildcards.ensemble}, {wildcards.block}."
    shell:
        "run_script record_activations --dataset {input.dataset}"
        " --networks {input.networks} --settings {params.settings:q}"
        " --device {resources.device} --threads {threads}"
        " --output {output} 2> >(tee {log} >&2)"


if "noise_clouds" in study.profiles:

    # Large and read only once, so it is deleted afterwards; `--notemp` keeps it.
    rule record_noisy_copies:
        input:
            dataset=ancient(dataset_of_ensemble),
            networks=f"{BLOCK}/networks.safetensors",
        output:
            temp(f"{BLOCK}/{study.noisy_copies_file}"),
        log:
            "results/logs/record_noisy_copies/{ensemble}-{block}.log",
        group:
            together("record_noisy_copies")
        conda:
            "../../environment.yml"
        threads: asked("record_noisy_copies", "threads")
        resources:
            mem_mb=asked("record_noisy_copies", "mem_mb"),
            runtime=asked("record_noisy_copies", "runtime"),
            gpu=asked("record_noisy_copies", "gpu"),
            device=asked("record_noisy_copies", "device"),
        params:
            code=fingerprint("scripts/record_noisy_copies.py"),
            dataset=contents_of_dataset,
            settings=json.dumps(study.profiles["noise_clouds"]),
        message:
            "Record noisy copies of ensemble {wildcards.ensemble}, {wildcards.block}."
        shell:
            "run_script record_noisy_copies --dataset {input.dataset}"
            " --networks {input.networks} --settings {params.settings:q}"
            " --device {resources.device} --threads {threads}"
            " --output {output} 2> >(tee {log} >&2)"
