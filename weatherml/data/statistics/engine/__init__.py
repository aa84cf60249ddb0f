"""Reads a period once, in blocks and groups of channels, and hands them to what sums; sums are kept in parts."""
