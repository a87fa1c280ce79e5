"""The loop that makes every picture: plan, sampling, prefix cache, progress, pipeline."""
