"""Lightning callbacks: what happens around training steps without the model knowing of it."""
