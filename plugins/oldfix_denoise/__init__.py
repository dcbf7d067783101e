"""Denoising by diffusion in pixels, between the clean picture and the noisy photograph.

After "Real-World Denoising via Diffusion Model" (Yang, Liang and Su 2023, arXiv 2305.04457).
"""
