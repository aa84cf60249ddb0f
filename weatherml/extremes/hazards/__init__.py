"""Kinds of events: what each is made of, with every threshold named."""
