namespace LoraKernels;

/// <summary>How adapters become one of a given rank: PEFT's <c>combination_type</c>.</summary>
public enum CombinationMethod
{
    /// <summary>A = Σ √(w·s) · Aᵢ and B alike (task arithmetic, arXiv:2212.04089).</summary>
    Linear,

    /// <summary>Prunes small elements, elects signs, and averages those that agree (TIES, arXiv:2306.01708).</summary>
    Ties,

    /// <summary>Drops elements at random and scales the rest up, then <see cref="Linear"/> (DARE, arXiv:2311.03099).</summary>
    DareLinear,

    /// <summary>Drops elements at random and scales the rest up, then elects signs as <see cref="Ties"/>.</summary>
    DareTies,

    /// <summary>Prunes small elements, then <see cref="Linear"/>.</summary>
    MagnitudePrune,

    /// <summary>
    /// The best approximation of the sum of the updates: its largest singular values. As in PEFT each update, which has
    /// its scale already, is multiplied by weight · scale.
    /// </summary>
    Svd,
}

/// <summary>How the sign of an element is elected: PEFT's <c>majority_sign_method</c>.</summary>
public enum MajoritySign
{
    /// <summary>That of the sum.</summary>
    Total,

    /// <summary>That of most.</summary>
    Frequency,
}

/// <summary>How adapters are combined: the arguments of PEFT's <c>add_weighted_adapter</c>.</summary>
public sealed record AdapterCombination
{
    /// <summary>The method.</summary>
    public required CombinationMethod Method { get; init; }

    /// <summary>The fraction of elements that pruning and DARE keep, 0 … 1. 1 keeps all.</summary>
    public double Density { get; init; } = 1;

    /// <summary>How <see cref="CombinationMethod.Ties"/> and <see cref="CombinationMethod.DareTies"/> elect signs.</summary>
    public MajoritySign MajoritySign { get; init; }

    /// <summary>The rank for <see cref="CombinationMethod.Svd"/>, 1 … 512; null: the largest of the adapters' in the module.</summary>
    public int? Rank { get; init; }

    /// <summary>Of DARE's draws: the same seed gives the same adapter, on any machine.</summary>
    public ulong Seed { get; init; }
}
