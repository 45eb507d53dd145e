"""Fakes and contract tests for plug-in authors."""
