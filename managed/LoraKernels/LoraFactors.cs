namespace LoraKernels;

/// <summary>
/// One low-rank update of an adapter: y += scale · ((x · Aᵀ) · Bᵀ + bias), and with a magnitude, as in DoRA, the whole
/// output is rescaled: y = m / ‖W + scale · B · A‖ ⊙ (x · Wᵀ + scale · (x · Aᵀ) · Bᵀ), with one norm a row of W.
/// </summary>
/// <remarks>
/// LoRA: Hu et al., arXiv:2106.09685. DoRA: Liu et al., arXiv:2402.09353. An embedding's update is one of the linear layer
/// that takes one-hot rows: in features are the vocabulary.
/// </remarks>
public sealed class LoraFactors
{
    /// <summary>Describes an update.</summary>
    /// <param name="module">The layer, or the slice of a fused layer, that it changes.</param>
    /// <param name="a">[rank, in features].</param>
    /// <param name="b">[out features, rank].</param>
    /// <param name="scale">alpha / rank, or alpha / √rank for rsLoRA; finite.</param>
    /// <param name="bias">[1, out features], scaled like B (PEFT's <c>lora_bias</c>); null: none.</param>
    /// <param name="magnitude">[1, out features], DoRA's m; null: a plain update.</param>
    /// <exception cref="ArgumentException">
    /// The matrices' ranks differ, a vector is not as long as B's rows, bias and magnitude at once, or an empty name.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">A scale that is not finite.</exception>
    public LoraFactors(
        string module, HostMatrix a, HostMatrix b, float scale, HostMatrix? bias = null, HostMatrix? magnitude = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(module);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (!float.IsFinite(scale))
            throw new ArgumentOutOfRangeException(nameof(scale), scale, $"the scale of '{module}' must be finite");
        if (a.Rows != b.Columns)
        {
            throw new ArgumentException(
                $"'{module}': A [{a.Rows}, {a.Columns}] has rank {a.Rows}, B [{b.Rows}, {b.Columns}] has rank "
                + $"{b.Columns}; they must be the same",
                nameof(b));
        }
        RequireVector(module, bias, b, nameof(bias));
        RequireVector(module, magnitude, b, nameof(magnitude));
        if (bias is not null && magnitude is not null)
        {
            throw new ArgumentException(
                $"'{module}' has a bias and a magnitude; PEFT does not define DoRA with lora_bias", nameof(magnitude));
        }
        Module = module;
        A = a;
        B = b;
        Scale = scale;
        Bias = bias;
        Magnitude = magnitude;
    }

    /// <summary>The layer, or the slice of a fused layer, that it changes.</summary>
    public string Module { get; }

    /// <summary>[rank, in features].</summary>
    public HostMatrix A { get; }

    /// <summary>[out features, rank].</summary>
    public HostMatrix B { get; }

    /// <summary>alpha / rank, or alpha / √rank for rsLoRA.</summary>
    public float Scale { get; }

    /// <summary>[1, out features], scaled like B; null: none.</summary>
    public HostMatrix? Bias { get; }

    /// <summary>[1, out features], DoRA's m; null: a plain update.</summary>
    public HostMatrix? Magnitude { get; }

    /// <summary>
    /// Whether the layer is an embedding: A is [rank, vocabulary], and a token's row of x · Aᵀ is a column of A.
    /// </summary>
    public bool IsEmbedding { get; init; }

    /// <summary>Whether the update takes the place of the base's product instead of being added to it.</summary>
    internal bool ReplacesBase { get; init; }

    /// <summary>Rows of A and columns of B.</summary>
    public long Rank => A.Rows;

    /// <summary>Host memory of all of it, in bytes.</summary>
    public long Bytes =>
        (long)A.Data.Length + B.Data.Length + (Bias?.Data.Length ?? 0) + (Magnitude?.Data.Length ?? 0);

    private static void RequireVector(string module, HostMatrix? vector, HostMatrix b, string name)
    {
        if (vector is null || (vector.Rows == 1 && vector.Columns == b.Rows))
            return;
        throw new ArgumentException(
            $"'{module}': the {name} is [{vector.Rows}, {vector.Columns}]; [1, {b.Rows}] is needed, one for each row of B",
            name);
    }
}
