"""Domains: how the captures of one source differ from those of another."""
