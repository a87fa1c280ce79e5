"""Pictures drawn by other processes and machines, with Ray Serve."""
