"""Write the cards of all measures as one page, and the checks that the package carries."""

import argparse
import shutil
from pathlib import Path

from generalization.audit.audit_page import audit_page
from generalization.errors import exit_on_input_error
from generalization.files import written_whole
from generalization.tables import read_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audit", type=Path)
    parser.add_argument("--command", required=True, help="what makes the page")
    parser.add_argument("--checks", type=Path, required=True, help="table of all checks")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--carried", type=Path, nargs="*", help="copies of the table of checks")
    arguments = parser.parse_args()

    with written_whole(arguments.output) as beside:
        page = audit_page(read_table(arguments.audit), arguments.command)
        beside.write_text(page, encoding="utf-8")
    for copy in arguments.carried:
        with written_whole(copy) as beside:
            shutil.copyfile(arguments.checks, beside)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
