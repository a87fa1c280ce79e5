"""Editing a photo through masked token maps: canvas, borrowed texture, edit."""
