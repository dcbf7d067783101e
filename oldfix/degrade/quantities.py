"""Types of images and of damage parameters; each parameter type carries its unit and limits."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

#: ``(H, W, 3)`` float32, RGB, [0, 1], sRGB-encoded.
Image = NDArray[np.float32]
#: ``(H, W)`` float32 in [0, 1], the opacity of damage; 0 where the image is untouched.
Mask = NDArray[np.float32]

Fraction = Annotated[float, Field(ge=0, le=1, description="a share, 0 to 1")]
Pixels = Annotated[float, Field(ge=0, le=400, description="pixels")]
Angle = Annotated[float, Field(ge=-360, le=360, description="degrees")]
PerMegapixel = Annotated[float, Field(ge=0, le=20000, description="mean number in a megapixel")]
PerKilopixel = Annotated[
    float, Field(ge=0, le=50, description="mean number across a square of 1000 pixels a side")
]
Levels = Annotated[float, Field(ge=0, le=255, description="8-bit levels (1/255)")]
Gain = Annotated[float, Field(gt=0, le=4, description="a factor")]
Ratio = Annotated[float, Field(ge=1, le=32, description="a factor of at least one")]
Quality = Annotated[float, Field(ge=1, le=100, description="JPEG quality, rounded")]
