"""Many real nodes in one process, on one simulated clock: to rehearse, to look for faults, to tell HAECHI III.

What is real: the store, the rules, the wire, the keys, the worker and the bank's books. What is simulated: the time,
the sockets, the disk's faults, and the people.
"""
