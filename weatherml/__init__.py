"""weatherml: data-driven global weather forecasting in JAX."""
