"""Metrics of ensembles."""

import numpy as np

from weatherml.verification import formulas
from weatherml.verification.metrics.base import itself
from weatherml.verification.metrics.entries import enter
from weatherml.verification.statistics.deterministic import SquaredError
from weatherml.verification.statistics.ensembles import Crps, CrpsFair, EnsembleVariance, ExpectedSquaredError

enter("crps", [Crps()], itself)
enter("crps_fair", [CrpsFair()], itself)
# The square root of the mean variance, not the mean standard deviation, so that it compares with the rmse.
enter("spread", [EnsembleVariance()], np.sqrt, better="neither")
# Spread over the rmse of the ensemble mean, 1 for a reliable ensemble whatever its size.
enter("spread_skill", [ExpectedSquaredError(), SquaredError()], formulas.spread_skill, better="one")
