"""The phases of an experiment done, in this process, in one of their own, or by several."""
