"""What is wrong with data: each rule looks at what the pass has kept of them, and at nothing else."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):  # rules register themselves: who writes a file of them need name it nowhere
    import_module(f"{__name__}.{_module.name}")
