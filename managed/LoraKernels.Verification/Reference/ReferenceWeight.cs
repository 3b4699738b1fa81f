namespace LoraKernels.Verification.Reference;

/// <summary>A 4-bit weight matrix [out, in], decoded straight from its checkpoint's bytes.</summary>
public abstract class ReferenceWeight
{
    private protected ReferenceWeight(long outFeatures, long inFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(outFeatures);
        ArgumentOutOfRangeException.ThrowIfNegative(inFeatures);
        OutFeatures = outFeatures;
        InFeatures = inFeatures;
    }

    /// <summary>Rows of the matrix, N.</summary>
    public long OutFeatures { get; }

    /// <summary>Columns of the matrix, K.</summary>
    public long InFeatures { get; }

    /// <summary>Decodes one row by the producer's sequence of fp32 operations: the exactly dequantized weights.</summary>
    /// <param name="row">0 ... <see cref="OutFeatures"/> - 1.</param>
    /// <param name="destination">[K].</param>
    public abstract void DecodeRow(long row, Span<float> destination);

    /// <summary>The whole matrix, row-major [N * K].</summary>
    public float[] Decode()
    {
        var values = new float[OutFeatures * InFeatures];
        for (long row = 0; row < OutFeatures; row++)
            DecodeRow(row, values.AsSpan((int)(row * InFeatures), (int)InFeatures));
        return values;
    }

    private protected static void CheckLength(string name, long actual, long expected)
    {
        if (actual != expected)
            throw new ArgumentException($"{name} has {actual} elements; the shape needs {expected}.", name);
    }
}
