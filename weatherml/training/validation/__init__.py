"""What averaged weights are worth on samples that nothing is learned from."""
