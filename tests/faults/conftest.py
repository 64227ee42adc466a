"""The lab and the reconciler that waits three seconds, as the end-to-end tests have them."""

from __future__ import annotations

from tests.e2e.conftest import first_up, lab, listening_before
from tests.e2e.test_5_attachments import lab_soon

__all__ = ["first_up", "lab", "lab_soon", "listening_before"]
