"""Numbers of EG3D's camera labels. No torch here: the checks of labels start without it."""

LABEL_SIZE = 25
RADIUS = 2.7  # distance of the cameras of aligned faces from the world's origin
PIVOT = (0.0, 0.0, 0.2)  # where they look
FOCAL = 4.2647  # in image widths; 2985.29 pixels of a 700 pixel crop
