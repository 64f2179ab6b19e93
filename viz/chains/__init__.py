"""Chains of blocks: read from a set of paths, drawn as a strip, and unravelled path by path.

``chain`` reads ``parts``, blocks and links; ``figure`` puts the panels together: ``strip`` with its
``lanes``, and below it ``unravelled`` rows or a ``histogram``; ``symbols`` names derivatives.
"""
