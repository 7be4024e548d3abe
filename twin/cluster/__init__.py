"""Who sits where: servers, racks, and their power."""
