"""What opens files for the tests: its processes are started once."""

from var_studio.shared.visitor_files import VisitorFiles

FILES = VisitorFiles()
