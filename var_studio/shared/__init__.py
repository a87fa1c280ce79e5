"""Parts that several tabs use: controls, widgets, runs, the model that is loaded."""
