"""Where data come from: each origin one file behind `Source`."""
