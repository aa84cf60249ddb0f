"""Published weights of others, read from the files they come in, as checkpoints of ours."""

from weatherml.pretrained.fourcastnet import import_fourcastnet
from weatherml.pretrained.imported import Imported
from weatherml.pretrained.pangu import import_pangu

__all__ = ["Imported", "import_fourcastnet", "import_pangu"]
