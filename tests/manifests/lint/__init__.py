"""What is right and wrong in a manifest beyond its schema.

`lint` takes the documents of one build, as a cluster would get them, and returns findings.
"""

from . import agent, csi, hardening, identity, references, secret_provider_class, synced_secret
from .rule import Finding, Rule

__all__ = ["Finding", "Rule", "lint"]


def lint(docs):
    """Every finding in the documents of one build."""
    return [
        finding
        for module in (references, hardening, secret_provider_class, synced_secret, csi, agent, identity)
        for finding in module.lint(docs)
    ]
