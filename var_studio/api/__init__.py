"""The app for programs: endpoints with names, types and descriptions."""
