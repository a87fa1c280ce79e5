"""Run VAR Studio, the app: python app.py --help."""

import sys

from var_studio.main import main

if __name__ == "__main__":
    sys.exit(main())
