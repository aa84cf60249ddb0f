"""The devices of this process, and what devices of a kind can do."""
