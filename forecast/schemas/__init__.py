"""JSON schemas of what tocsin prints for machines."""
