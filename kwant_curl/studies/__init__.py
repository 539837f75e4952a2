"""A junction in one call: what the current does to its vibrations, and whether to believe it.

Imports the routines, `vibrations`, `results`, `electrons`, `coordinates`, `model`, `algebra` and
`support`; draws by the door of `support`.
"""

from kwant_curl.studies.routine import study
from kwant_curl.studies.study import Study

__all__ = ["Study", "study"]
