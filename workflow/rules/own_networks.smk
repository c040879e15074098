# Networks that were trained elsewhere: a folder of results for each row of the manifest. Cheap measures
# with default settings share a job, as those of ensembles do.
OWN = "results/networks/{network}"

MEASURE_OWN_NETWORK = (
    "run_script measure_own_network --network {params.network:q} --weights {input.weights:q}"
    " --data {params.data:q} --path {resources.path:q} --manifest {resources.manifest:q}"
    " --repeats {params.repeats} --settings {params.settings:q} --measures {resources.measures}"
    " --device {resources.device} --threads {threads} -- {output} 2> >(tee {log} >&2)"
)


def weights_of_network(wildcards):
    return list(study.own.networks[wildcards.network].weights)


def about_network(wildcards):
    return json.dumps(study.own.networks[wildcards.network].as_row)


def code_of_user(wildcards):
    """Hash the modules of the user that build the network and its data."""
    network = study.own.networks[wildcards.network]
    places = [network.factory, study.own.data["train"], study.own.data["test"]]
    return [study.own.code_of(place) for place in places]


def of_all_networks(file):
    return [f"results/networks/{network}/{file}" for network in study.own.networks]


rule evaluate_own_network:
    input:
        weights=lambda wildcards: weights_of_network(wildcards)[0],
        data=study.own.files,
    output:
        f"{OWN}/training.csv",
    log:
        "results/logs/evaluate_own_network/{network}.log",
    conda:
        "../../environment.yml"
    threads: asked("evaluate_own_network", "threads")
    resources:
        mem_mb=asked("evaluate_own_network", "mem_mb"),
        runtime=asked("evaluate_own_network", "runtime"),
        gpu=asked("evaluate_own_network", "gpu"),
        device=asked("evaluate_own_network", "device"),
        path=":".join(study.own.folders),
        manifest=study.own.file,
    params:
        network=about_network,
        code=fingerprint("scripts/evaluate_own_network.py"),
        code_of_user=code_of_user,
        data=json.dumps(study.own.data),
    message:
        "Evaluate the network {wildcards.network}."
    shell:
        "run_script evaluate_own_network --network {params.network:q} --weights {input.weights:q}"
        " --data {params.data:q} --path {resources.path:q} --manifest {resources.manifest:q}"
        " --device {resources.device} --threads {threads} --output {output} 2> >(tee {log} >&2)"


if study.sharing_measures:

    rule measure_own_network:
        input:
            weights=weights_of_network,
            data=study.own.files,
        output:
            expand(
                f"{OWN}/measures/{{measure}}.csv",
                measure=study.sharing_measures,
                allow_missing=True,
            ),
        log:
            "results/logs/measure_own_network/{network}.log",
        conda:
            "../../environment.yml"
        threads: asked("measure_own_network", "threads")
        resources:
            mem_mb=asked("measure_own_network", "mem_mb"),
            runtime=asked("measure_own_network", "runtime"),
            gpu=asked("measure_own_network", "gpu"),
            device=asked("measure_own_network", "device"),
            measures=" ".join(map(place_of, study.sharing_measures)),
            path=":".join(study.own.folders),
            manifest=study.own.file,
        params:
            network=about_network,
            code=fingerprint(
                "scripts/measure_own_network.py", *map(file_of, study.sharing_measures)
            ),
            code_of_user=code_of_user,
            data=json.dumps(study.own.data),
            repeats=study.own.repeats,
            settings=json.dumps(
                {measure: settings_of(measure) for measure in study.sharing_measures}
            ),
        message:
            "Measure the network {wildcards.network}."
        shell:
            MEASURE_OWN_NETWORK


rule measure_own_network_alone:
    input:
        weights=weights_of_network,
        data=study.own.files,
    output:
        f"{OWN}/measures/{{measure}}.csv",
    log:
        "results/logs/measure_own_network/{network}-{measure}.log",
    wildcard_constraints:
        measure=any_of(study.lone_measures),
    conda:
        "../../environment.yml"
    threads: asked("measure_own_network_alone", "threads")
    resources:
        mem_mb=asked("measure_own_network_alone", "mem_mb"),
        runtime=asked("measure_own_network_alone", "runtime"),
        gpu=asked("measure_own_network_alone", "gpu"),
        device=asked("measure_own_network_alone", "device"),
        measures=lambda wildcards: place_of(named(wildcards.measure)),
        path=":".join(study.own.folders),
        manifest=study.own.file,
    params:
        network=about_network,
        code=lambda wildcards: fingerprint(
            "scripts/measure_own_network.py", file_of(named(wildcards.measure))
        ),
        code_of_user=code_of_user,
        data=json.dumps(study.own.data),
        repeats=study.own.repeats,
        settings=lambda wildcards: json.dumps(dict([study.measures[wildcards.measure]])),
    message:
        "Compute {wildcards.measure} of the network {wildcards.network}."
    shell:
        MEASURE_OWN_NETWORK


rule collect_own_networks:
    input:
        training=of_all_networks("training.csv"),
        measures=[
            table
            for measure in study.measures
            for table in of_all_networks(f"measures/{measure}.csv")
        ],
    output:
        measures=f"{STUDY}/measures.csv",
        training=f"{STUDY}/training.csv",
        computed_on=computed_on("measures"),
    log:
        f"results/logs/collect_own_networks/{study.name}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=fingerprint("scripts/collect_own_networks.py"),
        manifest=json.dumps(study.own.manifest),
        measures=list(study.measures),
        fitted_accuracy=study.statistics["fitted_accuracy"],
    message:
        "Collect the measures of all networks in one table."
    shell:
        "run_script collect_own_networks --networks results/networks"
        " --manifest {params.manifest:q} --measures {params.measures}"
        " --fitted-accuracy {params.fitted_accuracy}"
        " --output-measures {output.measures} --output-training {output.training}"
        " --output-computed-on {output.computed_on}"
        " 2> >(tee {log} >&2)"
