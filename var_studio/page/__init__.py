"""The look of the page: theme, style sheets and scripts."""
