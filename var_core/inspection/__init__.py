"""Looks inside a model while it paints: traces, pictures of them, atlas, levels, race."""
