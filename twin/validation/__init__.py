"""Published outcomes against ours: ``twin-validate``, and the page it leaves behind."""
