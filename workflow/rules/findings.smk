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
