using System.Collections.ObjectModel;

namespace LoraKernels;

/// <summary>One low-rank update of an adapter: y += scale · (x · Aᵀ) · Bᵀ.</summary>
public sealed class LoraFactors
{
    /// <summary>Describes an update.</summary>
    /// <param name="module">The layer, or the slice of a fused layer, that it changes.</param>
    /// <param name="a">[rank, in features].</param>
    /// <param name="b">[out features, rank].</param>
    /// <param name="scale">alpha / rank, or alpha / √rank for rsLoRA; finite.</param>
    /// <exception cref="ArgumentException">The matrices' ranks differ, or an empty name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A scale that is not finite.</exception>
    public LoraFactors(string module, HostMatrix a, HostMatrix b, float scale)
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
        Module = module;
        A = a;
        B = b;
        Scale = scale;
    }

    /// <summary>The layer, or the slice of a fused layer, that it changes.</summary>
    public string Module { get; }

    /// <summary>[rank, in features].</summary>
    public HostMatrix A { get; }

    /// <summary>[out features, rank].</summary>
    public HostMatrix B { get; }

    /// <summary>alpha / rank, or alpha / √rank for rsLoRA.</summary>
    public float Scale { get; }

    /// <summary>Rows of A and columns of B.</summary>
    public long Rank => A.Rows;
}

/// <summary>A LoRA adapter in host memory; <see cref="LoraTable.Add"/> brings it to a device.</summary>
public sealed class LoraAdapter
{
    /// <summary>Gathers an adapter's updates.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="factors">Its updates; none is an adapter that changes nothing.</param>
    /// <param name="baseModel">
    /// The model it was trained on, such as "mistralai/Mistral-7B-v0.1"; null if unknown.
    /// </param>
    /// <exception cref="ArgumentException">An empty name, or null among the factors.</exception>
    public LoraAdapter(string name, IEnumerable<LoraFactors> factors, string? baseModel = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(factors);
        LoraFactors[] list = [.. factors];
        if (list.Contains(null!))
            throw new ArgumentException("factors contains null", nameof(factors));
        Name = name;
        Factors = new ReadOnlyCollection<LoraFactors>(list);
        BaseModel = baseModel;
        Bytes = list.Sum(factor => (long)factor.A.Data.Length + factor.B.Data.Length);
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>Its updates.</summary>
    public IReadOnlyList<LoraFactors> Factors { get; }

    /// <summary>The model it was trained on, or null if unknown.</summary>
    public string? BaseModel { get; }

    /// <summary>Host memory of all factors, in bytes.</summary>
    public long Bytes { get; }
}
