"""How alike two maps are around each voxel, which SSIM and XSIM are means of."""


def structural_similarity(a, b, window_mean, constants):
    """Similarity of mean, variance and structure in a window around each voxel.

    Args:
        a: float array `(x, y, z)`.
        b: float array `(x, y, z)`.
        window_mean: callable of an array that gives each voxel the weighted mean of the
            window around it.
        constants: two floats > 0, what is added to squares of means and to variances.

    Returns:
        float array `(x, y, z)`, at most 1.
    """
    c1, c2 = constants
    mean_a, mean_b = window_mean(a), window_mean(b)
    variance_a = window_mean(a**2) - mean_a**2
    variance_b = window_mean(b**2) - mean_b**2
    covariance = window_mean(a * b) - mean_a * mean_b
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return similarity
