"""The whole page: theme and assembly."""
