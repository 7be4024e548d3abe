"""From telemetry to the parameters of a GPU server: ``twin-calibrate``."""
