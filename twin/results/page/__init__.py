"""The style and the script that ``report.html`` carries inside."""
