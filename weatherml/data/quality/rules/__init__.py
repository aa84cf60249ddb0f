"""What is wrong with data: each rule looks at what the pass has kept of them, and at nothing else."""

from importlib import import_module
from pkgutil import walk_packages

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)  # rules register themselves: who writes a file of them need name it nowhere
