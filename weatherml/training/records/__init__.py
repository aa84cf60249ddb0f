"""What is kept of a training for people to look at."""
