"""Check measures on the networks of an ensemble: one row per measure and check."""

import argparse
import json
from pathlib import Path

from generalization.audit.audit_checks import audit_checks
from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.devices import prepare_device
from generalization.errors import exit_on_input_error
from generalization.networks.block_file import read_block
from generalization.signatures import imported
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument(
        "--measures", type=imported, nargs="+", required=True, help="module:function"
    )
    parser.add_argument("--settings", type=json.loads, required=True, help="measure → settings")
    parser.add_argument("--checks", type=json.loads, required=True, help="settings of the checks")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()

    device = prepare_device(arguments.device, arguments.threads)
    kept = read_block(arguments.networks, device)
    data = experiment_data(read_dataset(arguments.dataset), kept.hyperparameters).to(device)
    measures = {measure.__name__: measure for measure in arguments.measures}
    table = audit_checks(kept, data, measures, arguments.settings, **arguments.checks)
    write_table(arguments.output, table)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
