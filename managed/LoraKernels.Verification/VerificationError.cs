namespace LoraKernels.Verification;

/// <summary>The numeric contract: how an error is measured and how large it may be.</summary>
public static class VerificationError
{
    /// <summary>Stands for an error that is not a number, so that tables and JSON stay readable.</summary>
    public const double Unbounded = double.MaxValue;

    /// <summary>The largest error of an operation whose result has the given type.</summary>
    public static double Limit(DType dtype) => dtype switch
    {
        DType.Float32 => 1e-5,
        DType.Float16 => 1e-3,
        DType.BFloat16 => 8e-3,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Allowed: Float32, Float16, BFloat16."),
    };

    /// <summary>The largest error of x · Wᵀ in <see cref="ComputeMode.Int8Activations"/>, as <see cref="OfNorm"/> measures it.</summary>
    public const double Int8Limit = 1e-2;

    /// <summary>
    /// ‖actual − expected‖ / ‖expected‖, alone: x in 8 bits leaves every element an error of its own. Where a few sums
    /// happen to cancel, the norm that they would have without that takes the place of theirs: what x lost does not
    /// cancel with them.
    /// </summary>
    /// <param name="actual">What the device gave.</param>
    /// <param name="expected">The same elements, in double precision.</param>
    /// <param name="termsNorm">As <see cref="Reference.ReferenceLinear.TermsNorm"/> has it.</param>
    /// <returns>As <see cref="Relative"/>.</returns>
    public static double OfNorm(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected, double termsNorm)
    {
        if (actual.Length != expected.Length)
            throw new ArgumentException($"{actual.Length} elements, not {expected.Length}.", nameof(actual));
        double differences = 0;
        double squares = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            differences += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            squares += expected[i] * expected[i];
        }

        double error = differences == 0 ? 0 : Math.Sqrt(differences) / Math.Max(Math.Sqrt(squares), termsNorm);
        return double.IsFinite(error) ? error : Unbounded;
    }

    /// <summary>
    /// The larger of two figures: ‖actual − expected‖ / ‖expected‖, and the worst element's |actual − expected| over
    /// the larger of |expected| and the root mean square of all, without which one wrong element among many thousands
    /// would pass.
    /// </summary>
    /// <param name="actual">What the device gave.</param>
    /// <param name="expected">The same elements, in double precision.</param>
    /// <returns>
    /// <see cref="Unbounded"/> for anything that is not finite, and for anything but zeros where zeros are expected.
    /// </returns>
    public static double Relative(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected)
    {
        if (actual.Length != expected.Length)
            throw new ArgumentException($"{actual.Length} elements, not {expected.Length}.", nameof(actual));

        double squares = 0;
        foreach (double value in expected)
            squares += value * value;
        double rootMeanSquare = Math.Sqrt(squares / Math.Max(1, expected.Length));

        double differences = 0;
        double worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs(actual[i] - expected[i]);
            if (difference == 0)
                continue;
            differences += difference * difference;
            double relative = difference / Math.Max(Math.Abs(expected[i]), rootMeanSquare);
            if (!double.IsFinite(relative))
                return Unbounded;
            worst = Math.Max(worst, relative);
        }

        double error = differences == 0 ? 0 : Math.Max(worst, Math.Sqrt(differences / squares));
        return double.IsFinite(error) ? error : Unbounded;
    }

    /// <summary>The share of elements that are wrong where every bit counts: wrong / total.</summary>
    public static double Mismatch(long wrong, long total) => wrong == 0 ? 0 : (double)wrong / Math.Max(1, total);
}
