"""What is taken of a forecast and its truth before anything is averaged: one small class each."""
