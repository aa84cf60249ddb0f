"""Which model is called when, in which compiled pieces, with which members together."""
