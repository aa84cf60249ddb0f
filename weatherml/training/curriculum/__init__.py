"""What is trained when, and on which mesh of devices."""
