"""What is wrong with data: each rule looks at what the pass has kept of them, and at nothing else."""

from weatherml.data.quality.rules import cadence, stuck

__all__ = ["cadence", "stuck"]
