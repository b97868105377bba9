"""The models, one a file; import them from their modules, or by name from `forecast`."""
