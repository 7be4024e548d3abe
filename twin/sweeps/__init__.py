"""Many designs: checked first, run so that none stops another, taken up again, compared."""
