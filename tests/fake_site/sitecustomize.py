"""Gives every interpreter that has this folder on its path a simulation that takes no time.

Workers of Ray, joblib and Slurm are interpreters of their own.
"""

import with_fake_run

with_fake_run.install()
