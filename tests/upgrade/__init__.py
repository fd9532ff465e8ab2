"""Upgrades of populated databases. Each dump here is the state that an earlier commit left behind."""
