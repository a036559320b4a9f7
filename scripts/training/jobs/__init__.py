"""What each rule of the training wing does: files in, a part of a bundle out.

A module is a training job. `said` is what a recipe says to it, DATASET its pictures,
PARTS the networks whose sizes it depends on, and `work` does the work. Checkpoints, losses and
samples lie in a folder beside what it makes, so that a job that was killed resumes.
"""
