# One page over all studies that have results: `make findings`. No other rule needs it.
FINISHED = sorted(Path("results/studies").glob("*/summary.txt"))


rule collect_findings:
    input:
        [
            str(folder / file)
            for folder in (summary.parent for summary in FINISHED)
            for file in ("statistics.csv", "training.csv", "summary.txt", "claims.csv")
            if (folder / file).is_file()
        ],
    output:
        "docs/findings.md",
    log:
        "results/logs/collect_findings.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/collect_findings.py"),
        studies=[str(summary.parent) for summary in FINISHED],
        titles=json.dumps(
            titles_of(f"config/{summary.parent.name}.yaml" for summary in FINISHED)
        ),
        versions=json.dumps({"commit": config["commit"], **config["versions"]}),
        primary=study.statistics["primary"],
    message:
        "Collect the findings of all studies."
    shell:
        "run_script collect_findings {params.studies} --titles {params.titles:q}"
        " --versions {params.versions:q} --primary {params.primary} --output {output}"
        " 2> >(tee {log} >&2)"


# One page for a paper, once its reduced studies have run: `make paper PAPER=novak_2018`.
rule collect_paper:
    input:
        ancient(results_of_paper),
    output:
        "results/papers/{paper}.html",
    log:
        "results/logs/collect_paper/{paper}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/collect_paper.py"),
        studies=studies_of_paper,
        title=lambda wildcards: papers.title_of(wildcards.paper),
        titles=lambda wildcards: json.dumps(titles_of_paper(wildcards)),
        figures=lambda wildcards: json.dumps(papers.figures_of(wildcards.paper)),
        rooms=lambda wildcards: json.dumps({wildcards.paper: PAPERS[wildcards.paper]}),
        made_with=", ".join(
            f"{name} {version}"
            for name, version in {
                "commit": config["commit"],
                **config["versions"],
            }.items()
        ),
    message:
        "Collect the studies of {wildcards.paper} on one page."
    shell:
        "run_script collect_paper {params.studies} --title {params.title:q} --titles {params.titles:q}"
        " --figures {params.figures:q} --rooms {params.rooms:q} --made-with {params.made_with:q}"
        " --output {output} 2> >(tee {log} >&2)"
