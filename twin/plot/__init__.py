"""Parquet to figure, one file per figure."""
