"""Write one page for a paper, from all of its studies."""

import argparse
import json
from pathlib import Path

from generalization.errors import exit_on_input_error
from generalization.experiments import claims_of
from generalization.figures.paper_page import PaperFigure, paper_page
from generalization.files import written_whole
from generalization.statistics.findings import StudyResults


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs="+", help="folders of results")
    parser.add_argument("--title", required=True)
    parser.add_argument("--titles", type=json.loads, required=True, help="study → title")
    parser.add_argument("--figures", type=json.loads, required=True, help="rows of PaperFigure")
    parser.add_argument("--rooms", type=json.loads, required=True, help="paper → rooms")
    parser.add_argument("--made-with", required=True, help="commit and packages")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    page = paper_page(
        arguments.title,
        [StudyResults.read(folder, arguments.titles[folder.name]) for folder in arguments.studies],
        [PaperFigure(*row) for row in arguments.figures],
        [claim.claim for claim in claims_of(arguments.rooms)],
        made_with=arguments.made_with,
    )
    with written_whole(arguments.output) as beside:
        beside.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    with exit_on_input_error():
        main()
