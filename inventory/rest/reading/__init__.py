"""Reads rows, and turns them into the resources of an answer."""
