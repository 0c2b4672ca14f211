"""Diffusion and flow processes: noise schedules, objectives, samplers, averages; functions over callables."""
