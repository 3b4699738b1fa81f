using System.Numerics.Tensors;
using LoraKernels.Interop;

namespace LoraKernels;

/// <summary>Sums, combinations and merges of adapters, in host memory.</summary>
public static class AdapterArithmetic
{
    /// <summary>
    /// The weighted sum of adapters as one: factors one after the other (PEFT's <c>cat</c>). Ranks add up. Where weight · scale
    /// is the same for all, the factors keep their bits; otherwise A is multiplied by it, in fp32.
    /// </summary>
    /// <param name="name">The new adapter's name.</param>
    /// <param name="adapters">At least one; adapters may have different modules and ranks.</param>
    /// <exception cref="ArgumentException">
    /// No adapters, a weight that is not finite, other shapes of one module, a rank over 512, DoRA or modules trained in full.
    /// </exception>
    public static LoraAdapter Stack(string name, IReadOnlyList<WeightedAdapter> adapters)
    {
        AdapterTerms terms = AdapterTerms.Of(adapters, allowBias: true);
        return new LoraAdapter(name, terms.Modules.Select(Stack), terms.BaseModel);
    }

    /// <summary>Adapters as one of their own rank, as PEFT's <c>add_weighted_adapter</c> combines them.</summary>
    /// <param name="name">The new adapter's name.</param>
    /// <param name="adapters">At least one. A module's sum has those adapters that have it.</param>
    /// <param name="how">Method and arguments.</param>
    /// <returns>Factors of the first adapter's number format, with the scale 1.</returns>
    /// <exception cref="ArgumentException">
    /// What <see cref="Stack(string, IReadOnlyList{WeightedAdapter})"/> refuses; a bias; different ranks of one module but for
    /// <see cref="CombinationMethod.Svd"/>; a negative weight · scale there, whose root PEFT takes; a density outside 0 … 1, or
    /// of 0 for DARE.
    /// </exception>
    public static LoraAdapter Combine(string name, IReadOnlyList<WeightedAdapter> adapters, AdapterCombination how)
    {
        ArgumentNullException.ThrowIfNull(how);
        AdapterTerms terms = AdapterTerms.Of(adapters, allowBias: false);
        if (how.Method == CombinationMethod.Svd)
        {
            if (how.Rank is < 1 or > NativeMethods.LK_LORA_MAX_RANK)
            {
                throw new ArgumentException(
                    $"the rank is {how.Rank}; allowed are 1 … {NativeMethods.LK_LORA_MAX_RANK}", nameof(how));
            }
            return new LoraAdapter(
                name, terms.Modules.Select(module => TruncatedProduct.Of(module, how.Rank)), terms.BaseModel);
        }
        var combiner = new ElementCombiner(how);
        return new LoraAdapter(name, terms.Modules.Select(combiner.Combine), terms.BaseModel);
    }

    /// <summary>The weight of a layer with an adapter's update: W + scale · B · A, with DoRA's magnitudes rescaled.</summary>
    /// <param name="weight">W [N, K], dequantized.</param>
    /// <param name="factors">The layer's update.</param>
    /// <returns>[N, K] in fp32. A bias of the update is added to the layer's own by <see cref="MergeBias"/>.</returns>
    /// <exception cref="ArgumentException">Another shape, or a row without a norm.</exception>
    public static HostMatrix Merge(HostMatrix weight, LoraFactors factors)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(factors);
        if (weight.Rows != factors.B.Rows || weight.Columns != factors.A.Columns)
        {
            throw new ArgumentException(
                $"the weight is [{weight.Rows}, {weight.Columns}], the update of '{factors.Module}' "
                + $"[{factors.B.Rows}, {factors.A.Columns}]",
                nameof(weight));
        }
        float[] merged = weight.ToSingles();
        float[]? scales = factors.Magnitude is null ? null : Dora.ColumnScales(merged, factors, 0, 0, weight.Rows);
        float[] a = factors.A.ToSingles(), b = factors.B.ToSingles();
        int columns = (int)weight.Columns, rank = (int)factors.Rank;
        Parallel.For(0, (int)weight.Rows, n =>
        {
            Span<float> row = merged.AsSpan(n * columns, columns);
            for (int r = 0; r < rank; r++)
                TensorPrimitives.MultiplyAdd(a.AsSpan(r * columns, columns), factors.Scale * b[n * rank + r], row, row);
            if (scales is not null)
                TensorPrimitives.Multiply(row, scales[n], row);
        });
        return HostMatrix.From(merged, weight.Rows, weight.Columns);
    }

    /// <summary>The bias of a layer with an adapter's update: bias + scale · the update's.</summary>
    /// <param name="bias">[1, N], or null.</param>
    /// <param name="factors">The layer's update.</param>
    /// <returns>[1, N] in fp32; <paramref name="bias"/> where the update has none.</returns>
    /// <exception cref="ArgumentException">Another length.</exception>
    public static HostMatrix? MergeBias(HostMatrix? bias, LoraFactors factors)
    {
        ArgumentNullException.ThrowIfNull(factors);
        if (factors.Bias is null)
            return bias;
        if (bias is not null && (bias.Rows != 1 || bias.Columns != factors.Bias.Columns))
        {
            throw new ArgumentException(
                $"the bias is [{bias.Rows}, {bias.Columns}], that of '{factors.Module}' [1, {factors.Bias.Columns}]", nameof(bias));
        }
        float[] merged = bias?.ToSingles() ?? new float[factors.Bias.Columns];
        TensorPrimitives.MultiplyAdd(factors.Bias.ToSingles(), factors.Scale, merged, merged);
        return HostMatrix.From(merged, 1, merged.Length);
    }

    private static LoraFactors Stack(ModuleTerms module)
    {
        long rank = module.Terms.Sum(term => term.Factors.Rank);
        if (rank > NativeMethods.LK_LORA_MAX_RANK)
        {
            throw new ArgumentException(
                $"the ranks of '{module.Name}' add up to {rank}; at most {NativeMethods.LK_LORA_MAX_RANK} are allowed", nameof(module));
        }
        LoraFactors first = module.Terms[0].Factors;
        float scale = module.Terms[0].Factor;
        bool same = module.Terms.All(term => term.Factor == scale && term.Factors.A.DType == first.A.DType
            && term.Factors.B.DType == first.B.DType);
        long inFeatures = first.A.Columns, outFeatures = first.B.Rows;
        var a = new float[rank * inFeatures];
        var b = new float[outFeatures * rank];
        var bias = new float[outFeatures];
        long from = 0;
        foreach ((LoraFactors factors, float factor) in module.Terms)
        {
            Span<float> rows = a.AsSpan((int)(from * inFeatures), (int)(factors.Rank * inFeatures));
            factors.A.ToSingles().CopyTo(rows);
            if (!same)
                TensorPrimitives.Multiply(rows, factor, rows);
            float[] columns = factors.B.ToSingles();
            for (long n = 0; n < outFeatures; n++)
                columns.AsSpan((int)(n * factors.Rank), (int)factors.Rank).CopyTo(b.AsSpan((int)(n * rank + from)));
            if (factors.Bias is not null)
                TensorPrimitives.MultiplyAdd(factors.Bias.ToSingles(), same ? 1 : factor, bias, bias);
            from += factors.Rank;
        }
        bool hasBias = module.Terms.Any(term => term.Factors.Bias is not null);
        return new LoraFactors(
            module.Name,
            HostMatrix.FromSingles(a, rank, inFeatures, same ? first.A.DType : DType.Float32),
            HostMatrix.FromSingles(b, outFeatures, rank, same ? first.B.DType : DType.Float32),
            same ? scale : 1,
            hasBias ? HostMatrix.From(bias, 1, outFeatures) : null)
        {
            IsEmbedding = first.IsEmbedding,
        };
    }
}
