"""What is taken of a forecast and its truth before anything is averaged; each lies with its metrics."""
