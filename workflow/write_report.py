"""Write the report of a study, whole or not at all: `write_report.py REPORT SNAKEMAKE …`.

The words from the second on are those of the Snakemake that knows the study. Its report is written
beside, flushed to disk and renamed; on a full disk one sentence says so instead of a traceback.
"""

import re
import subprocess
import sys
from pathlib import Path

from generalization.errors import InputError, exit_on_input_error
from generalization.files import require_room, written_whole

OWN = 3_000_000  # Bytes of a report without results.
FULL = re.compile(r"No space left|Disk quota exceeded|File too large|Errno (28|122|27)\b")


def main(report: Path, *snakemake: str) -> None:
    """Let Snakemake write the report, beside its place at first.

    Raises:
        InputError: If the disk has no room for it.
    """
    need = needed(report.parent)
    require_room(report, need)
    with written_whole(report) as beside:
        # Snakemake tells the kind of report by the end of its name.
        page = beside.with_name(f"{beside.name}.html")
        try:
            done = subprocess.run(
                [*snakemake, "--report", str(page)], stderr=subprocess.PIPE, text=True, check=False
            )
            if done.returncode and FULL.search(done.stderr):
                raise InputError(
                    f"{report} must have about {need / 1e6:,.1f} MB of room on its disk, which is "
                    "full; nothing was written, and the same command writes it when there is room."
                )
            sys.stderr.write(done.stderr)
            if done.returncode:
                sys.exit(done.returncode)
            page.replace(beside)
        finally:
            page.unlink(missing_ok=True)


def needed(study: Path) -> int:
    """Return about how many bytes the report takes: figures and pages, a third longer as text."""
    shown = (path for kind in ("*.svg", "*.html") for path in study.glob(f"*/**/{kind}"))
    return OWN + sum(path.stat().st_size for path in shown) * 4 // 3


if __name__ == "__main__":
    with exit_on_input_error():
        main(Path(sys.argv[1]), *sys.argv[2:])
