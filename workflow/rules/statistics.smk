rule fit_statistics:
    input:
        measures=f"{STUDY}/measures.csv",
        ensemble_measures=(
            tables("ensemble_measures") if study.ensemble_measures else []
        ),
        image_errors=(
            tables("image_errors") if "image_errors" in study.profiles else []
        ),
    output:
        statistics=f"{STUDY}/statistics.csv",
        design=f"{STUDY}/design.csv",
        excluded=f"{STUDY}/excluded.csv",
    log:
        f"results/logs/fit_statistics/{study.name}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/fit_statistics.py"),
        settings=json.dumps(study.statistics),
        baselines=study.baselines,
        test_sizes=json.dumps(study.test_sizes),
    message:
        "Correlate all measures with the generalization gap."
    shell:
        "run_script fit_statistics {input.measures} --ensemble-measures {input.ensemble_measures}"
        " --image-errors {input.image_errors} --settings {params.settings:q} --baselines {params.baselines}"
        " --test-sizes {params.test_sizes:q} --design {output.design} --statistics {output.statistics} --excluded {output.excluded}"
        " 2> >(tee {log} >&2)"


for table in sorted(study.tables.intersection(TABLES)):

    rule:
        name:
            f"derive_{table}"
        input:
            made_from(table),
        output:
            f"{STUDY}/{table}.csv",
        log:
            f"results/logs/derive_table/{study.name}-{table}.log",
        localrule: True
        conda:
            "../../environment.yml"
        resources:
            table=place_of(table),
        params:
            code=code_of_table(table),
            # A function, since words in braces are no wildcards here.
            settings=lambda wildcards, table=table: json.dumps(settings_of_table(table)),
        message:
            f"Derive the table {table}."
        shell:
            "run_script derive_table {input} --table {resources.table} --settings {params.settings:q}"
            " --output {output} 2> >(tee {log} >&2)"
