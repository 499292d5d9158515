"""Programs of Debian's that some tests look with: without one, its tests are left out, and told."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium")
PROMETHEUS = shutil.which("prometheus")


def _needs(name: str, path: str | None) -> pytest.MarkDecorator:
    return pytest.mark.skipif(path is None, reason=f"{name} is missing: apt-get install {name}")


needs_chromium = _needs("chromium", CHROMIUM)
needs_prometheus = _needs("prometheus", PROMETHEUS)
