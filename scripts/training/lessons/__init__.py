"""What each rule of the training wing does: files in, a part of a bundle out.

A module is a lesson. `said` is what a recipe says to it, DATASET which pictures it learns from,
PARTS the networks whose sizes it depends on, and `work` does the work. Checkpoints, losses and
samples lie in a folder beside what it makes, so that a lesson that was killed goes on where it
stood.
"""
