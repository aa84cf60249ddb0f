"""The verbs that have a file of their own."""
