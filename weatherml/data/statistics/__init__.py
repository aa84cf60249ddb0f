"""What training has to know of all times: moments, climatology, normalisation, forcings."""
