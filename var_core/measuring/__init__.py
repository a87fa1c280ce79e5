"""Measuring: quality, speed, costs, and the tables of them."""
