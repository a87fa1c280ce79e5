"""Measured rows, fitted laws, curves and logs of runs. Reads tables; measures and trains nothing."""
