"""HAECHI III as a rehearsal: the five months of the operation, told by real nodes in simulated time.

The totals are those that were published; every name, account and case is invented (frame.py says how both meet).
"""
