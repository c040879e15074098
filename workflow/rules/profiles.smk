rule profile_networks:
    input:
        dataset=ancient(dataset_of_ensemble),
        networks=f"{BLOCK}/networks.safetensors",
        recorded=lambda wildcards: recorded_for(wildcards.profile),
    output:
        f"{BLOCK}/profiles/{{profile}}.csv",
    log:
        "results/logs/profile_networks/{ensemble}-{block}-{profile}.log",
    group:
        together(
            "profile_networks",
            last=lambda wildcards: bool(recorded_for(wildcards.profile)),
        )
    conda:
        "../../environment.yml"
    threads: asked("profile_networks", "threads")
    resources:
        mem_mb=asked("profile_networks", "mem_mb"),
        runtime=asked("profile_networks", "runtime"),
        gpu=asked("profile_networks", "gpu"),
        device=asked("profile_networks", "device"),
        profile=lambda wildcards: place_of(named(wildcards.profile)),
    params:
        dataset=contents_of_dataset,
        code=lambda wildcards: fingerprint(
            "scripts/profile_networks.py",
            file_of(named(wildcards.profile)),
            *(
                ["scripts/record_noisy_copies.py"]
                if recorded_for(wildcards.profile)
                else []
            ),
        ),
        settings=lambda wildcards: json.dumps(study.profiles[named(wildcards.profile)]),
        together=lambda wildcards: (
            "--together" if PROFILES[named(wildcards.profile)].taken_together else ""
        ),
    message:
        "Compute the profile {wildcards.profile} of ensemble {wildcards.ensemble}, {wildcards.block}."
    shell:
        "run_script profile_networks --dataset {input.dataset} --networks {input.networks}"
        " --recorded {input.recorded} --profile {resources.profile} {params.together}"
        " --settings {params.settings:q} --device {resources.device} --threads {threads}"
        " {output} 2> >(tee {log} >&2)"


for profile in study.profiles:

    rule:
        name:
            f"collect_{profile}"
        input:
            of_all_blocks(f"profiles/{study.profile_file(profile)}.csv"),
        output:
            table=f"{STUDY}/{profile}.csv",
            computed_on=computed_on(profile),
        log:
            f"results/logs/collect_profile/{study.name}-{profile}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=fingerprint("scripts/collect_profile.py"),
            profile=study.profile_file(profile),
            grids=json.dumps(config["ensembles"]),
            seeds=study.seeds,
        message:
            f"Collect the profile {profile} of all ensembles in one table."
        shell:
            "run_script collect_profile {params.profile} --ensembles results/ensembles"
            " --grids {params.grids:q} --seeds {params.seeds} --output {output.table}"
            " --output-computed-on {output.computed_on} 2> >(tee {log} >&2)"
