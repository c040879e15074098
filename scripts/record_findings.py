"""Record what a study has found, and the figures that carry it, to be joined with others."""

import argparse
import json
import shutil
from pathlib import Path

from generalization.errors import exit_on_input_error
from generalization.files import written_whole
from generalization.statistics.findings import StudyResults, record_of


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="folder of its results")
    parser.add_argument("--title", required=True)
    parser.add_argument("--made-with", type=json.loads, required=True, help="commit and packages")
    parser.add_argument("--primary", required=True, help="statistic by which measures are judged")
    parser.add_argument("--figures", type=json.loads, required=True, help="[place, name, shows]")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-figures", type=Path, required=True, help="folder")
    arguments = parser.parse_args()

    results = StudyResults.read(arguments.study, arguments.title)
    arguments.output_figures.mkdir(exist_ok=True)
    figures = []
    for place, name, shows in arguments.figures:
        file = arguments.output_figures / f"{name.replace('/', '_')}.svg"
        shutil.copyfile(arguments.study / f"figures/{name}.svg", file)
        figures.append({"place": place, "file": file.name, "shows": shows})
    record = record_of(results, arguments.made_with, figures, primary=arguments.primary)
    with written_whole(arguments.output) as beside:
        beside.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    with exit_on_input_error():
        main()
