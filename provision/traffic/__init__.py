"""Sending, receiving and looking: pods and hosts as places, what runs in them, and what was counted. In come a lab or a
cluster; out go what left, what was reached and what was heard, which checks judge.
"""
