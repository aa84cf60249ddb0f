"""Members on their way through the models on one device."""
