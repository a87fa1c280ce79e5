"""What a model does while it paints: traces, pictures of them, atlas, levels, race."""
