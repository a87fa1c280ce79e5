"""What was measured, as rows, fitted laws and curves. Reads tables; measures and trains nothing."""
