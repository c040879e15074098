for figure in figures:

    rule:
        name:
            f"draw_{figure}"
        input:
            tables(*FIGURES[figure].tables),
        output:
            [
                report(
                    file,
                    caption=f"../report/{figure}.rst",
                    category=FIGURES[figure].chapter,
                    labels={"figure": label.replace("_", " ")},
                )
                for label, file in drawn(figure).items()
            ],
        log:
            f"results/logs/draw_figure/{study.name}-{figure}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=fingerprint(
                "scripts/draw_figure.py", f"generalization/figures/{figure}.py"
            ),
            figure=figure,
            settings=json.dumps(
                study.figures
                | {"fitted_accuracy": study.statistics["fitted_accuracy"]}
            ),
        message:
            f"Draw {figure}."
        shell:
            "python scripts/draw_figure.py {params.figure} --tables {input}"
            " --settings {params.settings:q} -- {output} 2> >(tee {log} >&2)"


for page in pages:

    rule:
        name:
            f"lay_out_{page}"
        input:
            f"{STUDY}/{page}.csv",
        output:
            report(
                f"{STUDY}/tables/{page}.html",
                caption=f"../report/{page}.rst",
                category="Tables",
                labels={"table": page},
            ),
        log:
            f"results/logs/lay_out_table/{study.name}-{page}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=fingerprint("scripts/lay_out_table.py"),
        message:
            f"Lay out the table {page} as a page."
        shell:
            "python scripts/lay_out_table.py {input} {output} 2> >(tee {log} >&2)"
