"""The process that computes: its memory, threads, signals and logs, and the workers that it starts."""
