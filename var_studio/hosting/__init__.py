"""The door of the app: what stands in front of Gradio's routes, how it is served, and what is told of it."""
