"""What a compiled program takes, and what its devices send to each other."""
