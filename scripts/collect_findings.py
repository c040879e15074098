"""Write one page over the records of all studies."""

import argparse
import json
from pathlib import Path

from generalization.errors import exit_on_input_error
from generalization.experiments import claims_of, untested_of
from generalization.files import written_whole
from generalization.statistics.findings import findings, untested_claims


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path, nargs="+", help="one per study")
    parser.add_argument("--papers", type=json.loads, required=True, help="paper → title")
    parser.add_argument("--rooms", type=json.loads, required=True, help="paper → rooms")
    parser.add_argument("--captions", type=json.loads, required=True, help="file → what it shows")
    parser.add_argument("--drawn", type=json.loads, required=True, help="claim → files of figures")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    records = [json.loads(one.read_text("utf-8")) for one in arguments.records]
    rooms = {paper: {paper: arguments.rooms[paper]} for paper in arguments.papers}
    untested = untested_claims(
        records,
        arguments.papers,
        {paper: list(claims_of(room)) for paper, room in rooms.items()},
        {paper: list(untested_of(room)) for paper, room in rooms.items()},
    )
    page = findings(
        records,
        captions=arguments.captions,
        untested=untested,
        drawn=arguments.drawn,
    )
    with written_whole(arguments.output) as beside:
        beside.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    with exit_on_input_error():
        main()
