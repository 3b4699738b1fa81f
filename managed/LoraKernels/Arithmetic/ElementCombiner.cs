using System.Globalization;

namespace LoraKernels;

/// <summary>
/// Combinations that treat A and B each as a task tensor, element by element, weighted by √(weight · scale): PEFT's
/// <c>linear</c>, <c>ties</c>, <c>dare_linear</c>, <c>dare_ties</c> and <c>magnitude_prune</c>.
/// </summary>
internal sealed class ElementCombiner
{
    private readonly AdapterCombination _how;
    private readonly bool _ties;
    private readonly bool _random;
    private readonly bool _prunes;
    private SplitMix64 _draws;

    public ElementCombiner(AdapterCombination how)
    {
        _how = how;
        _ties = how.Method is CombinationMethod.Ties or CombinationMethod.DareTies;
        _random = how.Method is CombinationMethod.DareLinear or CombinationMethod.DareTies;
        _prunes = how.Method != CombinationMethod.Linear && how.Density < 1;
        bool allowed = how.Density is >= 0 and <= 1 && !(_random && how.Density == 0);
        if (!allowed)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"the density is {how.Density}; allowed are {(_random ? "above 0" : "0")} … 1"), nameof(how));
        }
        _draws = new SplitMix64(how.Seed);
    }

    public LoraFactors Combine(ModuleTerms module)
    {
        LoraFactors first = module.Terms[0].Factors;
        foreach ((LoraFactors factors, float factor) in module.Terms)
        {
            if (factors.Rank != first.Rank)
            {
                throw new ArgumentException(
                    $"'{module.Name}' has rank {first.Rank} in one adapter and {factors.Rank} in another; "
                    + $"{_how.Method} needs the same, {nameof(CombinationMethod.Svd)} does not",
                    nameof(module));
            }
            if (factor < 0)
            {
                throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                    $"'{module.Name}' has weight · scale = {factor}; {_how.Method} takes its root, so that it must be 0 or more"),
                    nameof(module));
            }
        }
        float[] weights = [.. module.Terms.Select(term => (float)Math.Sqrt(term.Factor))];
        return new LoraFactors(
            module.Name,
            Combine([.. module.Terms.Select(term => term.Factors.A)], weights),
            Combine([.. module.Terms.Select(term => term.Factors.B)], weights),
            1)
        {
            IsEmbedding = first.IsEmbedding,
        };
    }

    private HostMatrix Combine(HostMatrix[] matrices, float[] weights)
    {
        float[][] tensors = [.. matrices.Select(matrix => matrix.ToSingles())];
        if (_prunes)
        {
            foreach (float[] tensor in tensors)
            {
                if (_random) DropAtRandom(tensor);
                else DropSmall(tensor);
            }
        }
        var combined = new float[tensors[0].Length];
        for (int i = 0; i < combined.Length; i++)
            combined[i] = _ties ? Agreed(tensors, weights, i) : Sum(tensors, weights, i);
        return HostMatrix.FromSingles(combined, matrices[0].Rows, matrices[0].Columns, matrices[0].DType);
    }

    private static float Sum(float[][] tensors, float[] weights, int i)
    {
        float sum = 0;
        for (int t = 0; t < tensors.Length; t++)
            sum += weights[t] * tensors[t][i];
        return sum;
    }

    /// <summary>The mean of what has the elected sign. A sum of 0 elects the positive one; a 0 has no sign.</summary>
    private float Agreed(float[][] tensors, float[] weights, int i)
    {
        float balance = 0;
        foreach (float[] tensor in tensors)
            balance += _how.MajoritySign == MajoritySign.Total ? tensor[i] : Math.Sign(tensor[i]);
        int elected = balance >= 0 ? 1 : -1;
        float sum = 0;
        int count = 0;
        for (int t = 0; t < tensors.Length; t++)
        {
            if (Math.Sign(tensors[t][i]) != elected) continue;
            sum += weights[t] * tensors[t][i];
            count++;
        }
        return sum / Math.Max(count, 1);
    }

    /// <summary>Keeps the ⌊density · n⌋ largest; of equal ones the first.</summary>
    private void DropSmall(float[] tensor)
    {
        int kept = (int)(_how.Density * tensor.Length);
        int[] order = new int[tensor.Length];
        for (int i = 0; i < order.Length; i++) order[i] = i;
        Array.Sort(order, (left, right) =>
        {
            int bySize = Math.Abs(tensor[right]).CompareTo(Math.Abs(tensor[left]));
            return bySize != 0 ? bySize : left.CompareTo(right);
        });
        for (int i = kept; i < order.Length; i++) tensor[order[i]] = 0;
    }

    private void DropAtRandom(float[] tensor)
    {
        for (int i = 0; i < tensor.Length; i++)
            tensor[i] = _draws.NextDouble() < _how.Density ? (float)(tensor[i] / _how.Density) : 0;
    }
}
