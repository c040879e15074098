"""Write one page over the records of all studies."""

import argparse
import json
from pathlib import Path

from generalization.errors import exit_on_input_error
from generalization.files import written_whole
from generalization.statistics.findings import findings


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path, nargs="+", help="one per study")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    records = [json.loads(one.read_text("utf-8")) for one in arguments.records]
    with written_whole(arguments.output) as beside:
        beside.write_text(findings(records), encoding="utf-8")


if __name__ == "__main__":
    with exit_on_input_error():
        main()
