"""What counts of hits, false alarms and misses are judged by."""

from collections.abc import Callable, Mapping

import numpy as np

from weatherml.verification.formulas import contingency

SCORES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "pod": contingency.probability_of_detection,
    "far": contingency.false_alarm_ratio,
    "csi": contingency.critical_success_index,
    "frequency_bias": contingency.frequency_bias,
}
