import re

import pytest

from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened

VIEWER = "viewer-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
