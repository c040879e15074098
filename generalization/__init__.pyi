from typing import Any

from generalization.audit.check_measure import check_measure as check_measure
from generalization.own_networks import compare as compare
from generalization.own_networks import measure as measure

def __getattr__(name: str) -> Any: ...  # Measures, profiles and similarities of the catalog.
