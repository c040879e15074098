# Cards of measures. Measures are checked on networks of the first ensemble, in a few jobs.


for job, checked in study.checked_measures.items():

    rule:
        name:
            f"check_measures_{job}"
        input:
            dataset=ancient(dataset_file(next(iter(study.ensembles.values())).dataset)),
            networks=f"{checked_networks()}/networks.safetensors",
        output:
            f"{STUDY}/audit_checks/{job}.csv",
        log:
            f"results/logs/check_measures/{study.name}-{job}.log",
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=240,
            # Small networks, which are checked faster on a core.
            gpu=int(study.device == "cuda"),
            device="cuda" if study.device == "cuda" else "cpu",
            measures=" ".join(place_of(measure) for measure, _ in checked),
        params:
            code=fingerprint(
                "scripts/check_measures.py",
                *(file_of(measure) for measure, _ in checked),
            ),
            settings=json.dumps(dict(checked)),
            checks=json.dumps(
                {
                    key: value
                    for key, value in study.audit_checks.items()
                    if key != "measures"
                }
            ),
        message:
            f"Check measures of {job}."
        shell:
            "run_script check_measures --dataset {input.dataset} --networks {input.networks}"
            " --measures {resources.measures} --settings {params.settings:q}"
            " --checks {params.checks:q} --device {resources.device} --threads {threads}"
            " {output} 2> >(tee {log} >&2)"


if study.audit_checks:

    rule collect_audit_checks:
        input:
            expand(f"{STUDY}/audit_checks/{{job}}.csv", job=study.checked_measures),
        output:
            f"{STUDY}/audit_checks.csv",
        log:
            f"results/logs/collect_audit_checks/{study.name}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=fingerprint("scripts/collect_audit_checks.py"),
        message:
            "Collect the checks of all measures in one table."
        shell:
            "run_script collect_audit_checks {input} --output {output}"
            " 2> >(tee {log} >&2)"

    rule write_audit:
        input:
            audit=f"{STUDY}/audit.csv",
            checks=f"{STUDY}/audit_checks.csv",
        output:
            page="docs/audit.md",
            # Cards of all other studies, whose measures are among these.
            carried=os.path.relpath(CARRIED_CHECKS) if study.name == "audit" else [],
        log:
            "results/logs/write_audit.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=fingerprint("scripts/write_audit.py"),
            command=(
                "make audit"
                if study.name == "audit"
                else f"snakemake --configfile config/{study.name}.yaml -- docs/audit.md"
            ),
        message:
            "Write the cards of all measures as one page."
        shell:
            "run_script write_audit {input.audit} --checks {input.checks} --command {params.command:q}"
            " --output {output.page} --carried {output.carried} 2> >(tee {log} >&2)"
