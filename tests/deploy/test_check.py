"""Django's own list for a site that is open to people has nothing to say about ours."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent


def test_check_deploy_is_clean_behind_https():
    done = subprocess.run([sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], cwd=PROJECT,
                          capture_output=True, text=True, env={
        **os.environ, "BULKHEAD_SECRET_KEY": secrets.token_urlsafe(60), "BULKHEAD_ORIGIN": "https://labs.example.org",
        "BULKHEAD_ALLOWED_HOSTS": "labs.example.org", "BULKHEAD_PREVIEW_HOST": "preview.labs.example.org"})
    assert done.returncode == 0, done.stderr
