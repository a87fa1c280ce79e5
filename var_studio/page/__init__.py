"""How the page looks: theme, style sheets and scripts."""
