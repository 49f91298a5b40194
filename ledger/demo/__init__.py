"""A market day on a local chain, on real prices and jobs."""
