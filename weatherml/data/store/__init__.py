"""The store that training reads: written file by file, whole or not at all, and checked."""
