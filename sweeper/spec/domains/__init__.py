"""Domains: the values that one swept name can take, and how they are drawn."""
