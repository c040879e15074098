"""Write one page over all studies that have results."""

import argparse
import json
from pathlib import Path

from generalization.errors import exit_on_input_error
from generalization.files import written_whole
from generalization.statistics.findings import StudyResults, findings


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs="+", help="folders of results")
    parser.add_argument("--titles", type=json.loads, required=True, help="study → title")
    parser.add_argument("--versions", type=json.loads, required=True, help="commit and packages")
    parser.add_argument("--primary", required=True, help="statistic by which measures are judged")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    studies = [
        StudyResults.read(folder, arguments.titles.get(folder.name, folder.name))
        for folder in arguments.studies
    ]
    with written_whole(arguments.output) as beside:
        page = findings(studies, arguments.versions, primary=arguments.primary)
        beside.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    with exit_on_input_error():
        main()
