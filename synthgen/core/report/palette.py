"""The colours of plots: the palette of M. Okabe and K. Ito, which colour-blind eyes tell apart.

Color Universal Design, 2008: https://jfly.uni-koeln.de/color/
"""

BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
