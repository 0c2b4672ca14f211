"""How good the picture of a face is, and what is wrong with it: landmarks, quality, blur, people, occlusion, flags."""
