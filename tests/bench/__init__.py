"""Measurements, as ratios or beside a bound; `make bench` runs them."""
