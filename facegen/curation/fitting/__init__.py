"""Fitting a morphable model to the faces of pictures: what `facegen fit` and `facegen data clean` share."""
