"""What a training takes before it runs: memory, operations, bytes, time; known without the hardware."""
