"""The networks of Liu 2021 (Self-Supervised Sketch-to-Image Synthesis): layers and counts of the authors' code.

T and D_T make sketches of photos (`tom`); an encoder of styles and one of contents (`encoders`) and the decoder G_1
(`decoder`) are the auto-encoder; G_2 (`refiner`, `refiner_face`) and its discriminator (`discriminator`) make its
pictures sharp. What the text of the paper leaves open is an argument.
"""
