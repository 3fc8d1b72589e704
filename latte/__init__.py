"""Latte: a latent diffusion Transformer for video (arXiv:2401.03048)."""
