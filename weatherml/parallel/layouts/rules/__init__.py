"""How the weights of each network are split over the mesh axis `tensor`."""

from weatherml.parallel.layouts.rules.fourcastnet import FOURCASTNET
from weatherml.parallel.layouts.rules.pangu import PANGU
from weatherml.parallel.layouts.rules.rule import Axes, Rules, registry, rules_of
from weatherml.parallel.layouts.rules.sfno import SFNO

__all__ = ["Axes", "Rules", "registry", "rules_of"]

registry.register("fourcastnet")(FOURCASTNET)
registry.register("pangu")(PANGU)
registry.register("sfno")(SFNO)
