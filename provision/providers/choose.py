"""The provider of a lab, by its name in lab.yml or on the command line."""

from __future__ import annotations

from importlib import import_module

from provision.config import Lab
from provision.core.paths import StateDir
from provision.providers.base import Provider


def make_provider(lab: Lab, directory: StateDir) -> Provider:
    """What `make` of provision/providers/NAME/provider.py returns; only that one is imported."""
    provider: Provider = import_module(f"provision.providers.{lab.provider}.provider").make(lab, directory)
    return provider
