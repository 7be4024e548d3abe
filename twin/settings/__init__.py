"""What a run is told: command line, choices and scenario, to one plain configuration."""
