"""How the weights of each network are split over the mesh axis `tensor`."""

from weatherml.parallel.rules.fourcastnet import FOURCASTNET
from weatherml.parallel.rules.pangu import PANGU
from weatherml.parallel.rules.rule import Axes, Rules, registry, rules_of
from weatherml.parallel.rules.sfno import SFNO

__all__ = ["Axes", "Rules", "registry", "rules_of"]

registry.register("fourcastnet")(FOURCASTNET)
registry.register("pangu")(PANGU)
registry.register("sfno")(SFNO)
