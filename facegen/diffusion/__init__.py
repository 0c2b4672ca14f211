"""Diffusion and flow processes: noise schedules, objectives, samplers, averages. Functions over callables; no networks."""
