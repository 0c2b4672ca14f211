"""Hydra configuration: YAML files only, found by the command line as `facegen.configs`."""
