"""3D morphable models: linear models of heads and the light on them."""
