"""Where things are in an average adult head, in the world frame of the camera labels; 0.027 units are a centimetre.

Lengths are rounded from anthropometric tables (head breadth 15 cm, interpupillary distance 6.2 cm, mouth 5 cm ...).
The subject looks along +z; only the side of positive x is listed, the other is its mirror image.
"""

import numpy as np

AXIS_Z = -0.02  # the vertical line that rays to the surface start from

EYE = np.array([0.084, 0.084, 0.172])  # centre of the eyeball
EYE_RADIUS = 0.0350
LID_RADIUS = 0.0385  # outer surface of closed lids
EYE_ROW = 0.084  # height of the line where the lids meet
CANTHUS_INNER, CANTHUS_OUTER = 0.050, 0.1165  # x of the corners of the eye

MOUTH_ROW = -0.0915  # height of the line where the lips meet, in the middle
MOUTH_CORNER = np.array([0.0655, -0.0945, 0.217])
UPPER_LIP_TOP, LOWER_LIP_BOTTOM = -0.0735, -0.1145

NOSE_TIP = np.array([0.0, -0.006, 0.300])
NOSTRIL = np.array([0.0165, -0.030, 0.272])
ALA = np.array([0.0305, -0.022, 0.256])
CHIN = np.array([0.0, -0.205, 0.205])
EAR = np.array([0.196, 0.03, -0.035])
JAW_HINGE = np.array([0.0, 0.02, 0.01])
CROWN = 0.335
HAIRLINE = 0.235
