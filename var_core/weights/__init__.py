"""Weights on disk: the registry of published models, strict loading and saving, conversion, download."""
