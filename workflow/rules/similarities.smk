# One job compares two blocks of seeds, so that adding networks compares only these. A block is also
# compared with itself.

COMPARED = "similarities/{similarity}/{pairs}/{other}/{other_block}.csv"


rule compare_representations:
    input:
        activations=f"{BLOCK}/{study.activations_file}",
        others=f"results/ensembles/{{other}}/{{other_block}}/{study.activations_file}",
        networks=networks_on_line,
    output:
        f"{BLOCK}/{COMPARED}",
    log:
        "results/logs/compare_representations/{ensemble}-{block}-{similarity}-{pairs}-{other}-{other_block}.log",
    group:
        together("compare_representations", last=lambda wildcards: True)
    conda:
        "../../environment.yml"
    threads: asked("compare_representations", "threads")
    resources:
        mem_mb=asked("compare_representations", "mem_mb"),
        runtime=asked("compare_representations", "runtime"),
        gpu=asked("compare_representations", "gpu"),
        device=asked("compare_representations", "device"),
        similarity=lambda wildcards: place_of(named(wildcards.similarity)),
    params:
        code=lambda wildcards: fingerprint(
            "scripts/compare_representations.py",
            file_of(named(wildcards.similarity)),
        ),
        settings=similarity_settings,
        asymmetric=lambda wildcards: (
            "--asymmetric"
            if SIMILARITIES[named(wildcards.similarity)].asymmetric
            else ""
        ),
    message:
        "Compare ensemble {wildcards.ensemble}, {wildcards.block}, with {wildcards.other}, "
        "{wildcards.other_block}, by {wildcards.similarity}, {wildcards.pairs}."
    shell:
        "run_script compare_representations {resources.similarity} {wildcards.pairs}"
        " --activations {input.activations} {input.others} --networks {input.networks}"
        " --settings {params.settings:q}"
        " {params.asymmetric} --device {resources.device} --threads {threads}"
        " --output {output} 2> >(tee {log} >&2)"


if study.similarities:

    rule collect_similarities:
        input:
            [file for similarity in study.similarities for file in compared(similarity)],
        output:
            table=f"{STUDY}/similarities.csv",
            computed_on=computed_on("similarities"),
        log:
            f"results/logs/collect_similarities/{study.name}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=fingerprint("scripts/collect_similarities.py"),
            # File of a similarity → its pairs.
            similarities=json.dumps(
                {
                    study.similarity_file(similarity): settings["pairs"]
                    for similarity, settings in study.similarities.items()
                }
            ),
            grids=json.dumps(config["ensembles"]),
            seeds=study.seeds,
        message:
            "Collect the similarities of all networks in one table."
        shell:
            "run_script collect_similarities --ensembles results/ensembles"
            " --similarities {params.similarities:q} --grids {params.grids:q}"
            " --seeds {params.seeds} --output {output.table}"
            " --output-computed-on {output.computed_on} 2> >(tee {log} >&2)"
