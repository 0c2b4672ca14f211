"""Textures of faces: from photographs (FFHQ-UV, Bai et al. 2023), and by fitting a network that draws them."""
