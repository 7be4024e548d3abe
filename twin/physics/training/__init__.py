"""Arithmetic of training a transformer: work, memory, step time, checkpoints, goodput."""
