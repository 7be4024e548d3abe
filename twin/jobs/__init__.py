"""The work of a facility: jobs that arrive, wait, run at a rate that may change, and end."""
