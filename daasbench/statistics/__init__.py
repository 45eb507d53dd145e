"""Intervals, comparisons and scaling laws; no other package computes a statistic."""
