"""`python -m app.cli …` is `chronobridge …`."""

import os

from app.cli import main

os.environ.setdefault("PYTHONUNBUFFERED", "1")  # for the processes that it starts
main()
