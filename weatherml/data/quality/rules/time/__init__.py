"""Rules of time: whether times are those of the labels, in order, and of one kind throughout."""
