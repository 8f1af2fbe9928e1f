"""`python -m app.settings`: prints deploy/env.example, every setting and none of them set."""

import sys

from app.settings.env_file import render

if __name__ == "__main__":
    sys.stdout.write(render({}))
