"""The main job, shown between real processes on one machine: `arrp demo`.

Everybody in it is invented, and so is the law. Every line of the transcript is what a node wrote in
its own log; nothing is told that did not happen.
"""
