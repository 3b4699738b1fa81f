using System.Numerics;

namespace LoraKernels.Checkpoints;

/// <summary>Adds up the differences between a weight and what it decodes to, part by part.</summary>
/// <param name="columns">K.</param>
/// <param name="groupSize">Weights that share a scale, counted by flat index.</param>
internal sealed class ErrorMeter(long columns, long groupSize)
{
    private Measured _all;
    private double _worst;
    private long _worstGroup;

    // Of the last group, which the next part may go on with.
    private long _openGroup = -1;
    private Measured _open;

    /// <summary>Takes the next part: both sides of the weights from a flat index on, parts in their order.</summary>
    public void Add(long first, ReadOnlyMemory<float> weights, ReadOnlyMemory<float> decoded)
    {
        if (weights.IsEmpty) return;
        long firstGroup = first / groupSize;
        var groups = new Measured[(first + weights.Length - 1) / groupSize - firstGroup + 1];
        Parallel.For(0, groups.Length, i =>
        {
            int begin = (int)Math.Max((firstGroup + i) * groupSize - first, 0);
            int end = (int)Math.Min((firstGroup + i + 1) * groupSize - first, weights.Length);
            groups[i] = Measure(weights.Span[begin..end], decoded.Span[begin..end]);
        });
        if (_openGroup == firstGroup) groups[0] = Join(_open, groups[0]);
        else CloseOpen();
        for (int i = 0; i < groups.Length - 1; i++) Close(firstGroup + i, groups[i]);
        (_openGroup, _open) = (firstGroup + groups.Length - 1, groups[^1]);
    }

    /// <summary>The sum of what was taken.</summary>
    public QuantizationError Result()
    {
        CloseOpen();
        long index = _worstGroup * groupSize;
        return new QuantizationError(_all.Largest, _all.Relative, _worst,
            columns == 0 ? 0 : index / columns, columns == 0 ? 0 : index % columns);
    }

    private void CloseOpen()
    {
        if (_openGroup >= 0) Close(_openGroup, _open);
        _openGroup = -1;
    }

    // In the order of groups, so that sums come out the same on any number of threads.
    private void Close(long group, Measured measured)
    {
        _all = Join(_all, measured);
        if (measured.Relative <= _worst) return;
        _worst = measured.Relative;
        _worstGroup = group;
    }

    private static Measured Join(Measured a, Measured b) =>
        new(a.Errors + b.Errors, a.Squares + b.Squares, Math.Max(a.Largest, b.Largest));

    private static Measured Measure(ReadOnlySpan<float> weights, ReadOnlySpan<float> decoded)
    {
        Vector<double> errors = default, squares = default;
        Vector<float> largest = default;
        int i = 0;
        for (; i <= weights.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var weight = new Vector<float>(weights[i..]);
            var difference = new Vector<float>(decoded[i..]) - weight;
            Vector.Widen(weight, out var weightLow, out var weightHigh);
            Vector.Widen(difference, out var low, out var high);
            errors += low * low + high * high;
            squares += weightLow * weightLow + weightHigh * weightHigh;
            largest = Vector.Max(largest, Vector.Abs(difference));
        }
        var measured = new Measured(Vector.Sum(errors), Vector.Sum(squares), 0);
        for (int lane = 0; lane < Vector<float>.Count; lane++) measured = Join(measured, new(0, 0, largest[lane]));
        for (; i < weights.Length; i++)
        {
            double weight = weights[i], difference = (double)decoded[i] - weight;
            measured = Join(measured, new(difference * difference, weight * weight, Math.Abs(difference)));
        }
        return measured;
    }

    /// <param name="Errors">Sum of the squares of differences.</param>
    /// <param name="Squares">Sum of the squares of weights.</param>
    /// <param name="Largest">Largest difference.</param>
    private readonly record struct Measured(double Errors, double Squares, double Largest)
    {
        public double Relative => Squares == 0 ? 0 : Math.Sqrt(Errors / Squares);
    }
}
