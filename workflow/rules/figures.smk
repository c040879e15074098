for figure in figures:

    rule:
        name:
            f"draw_{figure}"
        input:
            tables(*FIGURES[figure].made_from),
        output:
            [
                report(
                    file,
                    caption=caption(figure),
                    category=numbered(FIGURES[figure].chapter),
                    labels=labels_of(figure, label),
                )
                for label, file in drawn(figure).items()
            ],
        log:
            f"results/logs/draw_figure/{study.name}-{figure}.log",
        localrule: True
        conda:
            "../../environment.yml"
        resources:
            figure=place_of(figure),
        params:
            code=fingerprint("scripts/draw_figure.py", file_of(figure)),
            one_per=FIGURES[figure].one_per,
            settings=json.dumps(
                study.figures | study.statistics | {"classes": study.classes}
            ),
        message:
            f"Draw {figure}."
        shell:
            "run_script draw_figure {resources.figure}"
            " --one-per={params.one_per} --tables {input} --settings {params.settings:q} -- {output} 2> >(tee {log} >&2)"


rule lay_out_tables:
    input:
        tables(*pages),
    output:
        [
            report(
                f"{STUDY}/tables/{page}.html",
                caption=caption(page),
                category=numbered("Tables"),
                labels={"table": headed(page, page)},
            )
            for page in pages
        ],
    log:
        f"results/logs/lay_out_tables/{study.name}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/lay_out_tables.py"),
        sees=json.dumps({page: seen_labels(page) for page in pages}),
    message:
        "Lay out the tables as pages."
    shell:
        "run_script lay_out_tables {input} --sees {params.sees:q} --outputs {output}"
        " 2> >(tee {log} >&2)"


rule summarize_study:
    input:
        tables=tables(
            *("statistics", "measures", "training"),
            *sorted(
                study.tables.intersection({"design", "claims", "selection_on_fit"})
            ),
        ),
        computed_on=all_computed_on(),
    output:
        f"{STUDY}/summary.txt",
    log:
        f"results/logs/summarize_study/{study.name}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/summarize_study.py"),
        settings=json.dumps(study.statistics),
    message:
        "Summarize the study for the front page of its report."
    shell:
        "run_script summarize_study {input.tables} --computed-on {input.computed_on}"
        " --settings {params.settings:q} --output {output}"
        " 2> >(tee {log} >&2)"


rule export_tables:
    input:
        tables(*exported_tables()),
    output:
        columns=f"{STUDY}/columns.csv",
    log:
        f"results/logs/export_tables/{study.name}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/export_tables.py"),
        definitions=files_of_definitions(),
        parquet=f"{STUDY}/parquet",
    message:
        "Describe the columns of all tables, and write these as Parquet."
    shell:
        "run_script export_tables {input} --columns {output.columns} --parquet {params.parquet} --definitions {params.definitions}"
        " 2> >(tee {log} >&2)"
