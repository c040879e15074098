# What every study has found, and one page over all of them: `make findings`. No other rule needs
# it. Studies that have no results here, but ran elsewhere, keep their records.
FINISHED = sorted(
    summary.parent.name for summary in Path("results/studies").glob("*/summary.txt")
)
RECORDED = sorted(one.stem for one in Path("docs/findings").glob("*.json"))


rule record_findings:
    input:
        recorded_files,
    output:
        record="docs/findings/{finished}.json",
        figures=directory("docs/findings/{finished}"),
    log:
        "results/logs/record_findings/{finished}.log",
    wildcard_constraints:
        finished="|".join(FINISHED) or "(?!)",
    localrule: True
    conda:
        "../../environment.yml"
    resources:
        # Not a parameter: a commit changes nothing of what was found before it.
        made_with=json.dumps({"commit": config["commit"], **config["versions"]}),
    params:
        code=fingerprint("scripts/record_findings.py"),
        folder=folder_of_findings,
        title=lambda wildcards: titles_of([f"config/{wildcards.finished}.yaml"]).get(
            wildcards.finished, wildcards.finished
        ),
        figures=lambda wildcards: json.dumps(
            papers.figures_of_study(folder_of_findings(wildcards))
        ),
        primary=study.statistics["primary"],
    message:
        "Record the findings of {wildcards.finished}."
    shell:
        "run_script record_findings {params.folder} --title {params.title:q}"
        " --made-with {resources.made_with:q} --primary {params.primary}"
        " --figures {params.figures:q} --output {output.record} --output-figures {output.figures}"
        " 2> >(tee {log} >&2)"


rule collect_findings:
    input:
        [f"docs/findings/{name}.json" for name in sorted({*FINISHED, *RECORDED})],
    output:
        "docs/findings.md",
    log:
        "results/logs/collect_findings.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/collect_findings.py"),
        papers=lambda wildcards: json.dumps(papers.titles()),
        rooms=json.dumps(PAPERS),
        captions=lambda wildcards: json.dumps(papers.captions()),
        drawn=lambda wildcards: json.dumps(papers.drawn_claims()),
    message:
        "Collect the findings of all studies."
    shell:
        "run_script collect_findings {input} --papers {params.papers:q} --rooms {params.rooms:q}"
        " --captions {params.captions:q} --drawn {params.drawn:q} --output {output}"
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
        title=lambda wildcards: papers.titles()[wildcards.paper],
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
