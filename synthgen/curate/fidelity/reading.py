"""How each measure of a fidelity report is to be read, and what it must not be taken for."""

READING = (
    "Two rows belong together: the generated images, and below them other real images, held against the same real "
    "ones. The second row is the yardstick: what the first would be if the generated images were real. Where one set "
    "is larger it is cut into draws of the smaller one's size, at most five. Numbers are means over draws, and ± is "
    "the standard error that the spread of three or more draws shows (for KID, of the blocks within them); it does "
    "not cover what other real images would have changed.",
    "Fréchet distance (Heusel et al. 2017): how far the means and covariances of the two sets are apart; less is "
    "better. It is too large by an amount that shrinks as images grow in number, so compare it with the yardstick "
    "below it, never with a number from elsewhere: other features, other units.",
    "KID (Bińkowski et al. 2018), a thousandfold: less is better, 0 in expectation for sets of one distribution "
    "whatever their sizes, and by chance below 0 too.",
    "Precision (Kynkäänniemi et al. 2019): the share of generated images where real ones lie; recall: the share of "
    "real images where generated ones lie. Density and coverage (Naeem et al. 2020) ask the same, and one odd image "
    "does not move them; density is about 1 for real images, and more where generated ones crowd. All four move with "
    "the numbers of images.",
    "Vendi score (Friedman and Dieng 2023): how many different images there are in effect, by the cosine of their "
    "features; more is more diverse. It needs no real image, and grows with the number of images.",
    "Memorised: the share of all generated images that are closer to a training image than the closest 5 % of real "
    "test images are (after Meehan et al. 2020); the yardstick is the share that further real images would have. "
    "Images made from a training image (inpaint, outpaint, img2img) are close to it by intent. A training image is "
    "one of the manifest's training split, whether or not the generator has seen it.",
    "Generated and real images may differ in how many there are of each label and tone. Measures of all images see "
    "that too, and those of a label see the tones; those of a cell see neither.",
)
