using LoraKernels.Checkpoints;
using LoraKernels.Verification;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>How the outputs of a step compare with the reference.</summary>
/// <param name="Checked">Rows times linears.</param>
/// <param name="OverLimit">How many of them are off by more than <paramref name="Limit"/>, or not finite.</param>
/// <param name="WorstError">Largest ‖out − ref‖ / ‖ref‖ over a row of a linear.</param>
/// <param name="WorstRow">Where that is.</param>
/// <param name="WorstLinear">Where that is.</param>
/// <param name="Limit">What the numeric contract allows the activations' type.</param>
/// <param name="SmallestEffect">Smallest ‖adapters' update‖ / ‖ref‖ over the rows that an adapter changes.</param>
/// <param name="LargestEffect">The largest.</param>
internal sealed record RowCheck(
    int Checked,
    int OverLimit,
    double WorstError,
    int WorstRow,
    string WorstLinear,
    double Limit,
    double SmallestEffect,
    double LargestEffect)
{
    public bool Ok => OverLimit == 0;
}

/// <summary>Recomputes every row of every linear in double precision, from the checkpoint's own bytes.</summary>
internal static class RowChecker
{
    /// <param name="adapterOfRow">The adapter of each row, null for none.</param>
    /// <param name="inputs">The linear's x, [rows, in].</param>
    /// <param name="outputs">The linear's y as computed, [rows, out].</param>
    public static RowCheck Check(
        Checkpoint checkpoint,
        IReadOnlyList<LayerLinear> linears,
        IReadOnlyList<LoraAdapter?> adapterOfRow,
        Func<LayerLinear, float[]> inputs,
        Func<LayerLinear, float[]> outputs,
        double limit,
        Action<string, double> progress,
        CancellationToken cancellation)
    {
        int rows = adapterOfRow.Count;
        RowCheck check = new(0, 0, 0, 0, "", limit, double.PositiveInfinity, 0);
        long done = 0, all = linears.Sum(static linear => linear.Weights);
        foreach (LayerLinear linear in linears)
        {
            progress($"Checking {linear.Name} against the float64 reference", (double)done / all);
            done += linear.Weights;

            double[] x = Array.ConvertAll(inputs(linear), static value => (double)value);
            ReferenceWeight weight = ReferenceBridge.Weight(checkpoint.ReadWeight(linear.Name));
            double[] baseOnly = ReferenceLinear.Matmul(x, rows, weight, null, cancellation);
            double[] expected = [.. baseOnly];
            ReferenceLora.Apply(
                x, (int)linear.InFeatures, EntriesOf(linear, weight, adapterOfRow), expected, (int)linear.OutFeatures);
            check = Compare(check, linear, rows, outputs(linear), expected, baseOnly);
        }
        return check;
    }

    private static RowCheck Compare(
        RowCheck check, LayerLinear linear, int rows, float[] actual, double[] expected, double[] baseOnly)
    {
        int columns = (int)linear.OutFeatures;
        for (int row = 0; row < rows; row++)
        {
            double error = 0, effect = 0, norm = 0;
            for (int i = row * columns; i < (row + 1) * columns; i++)
            {
                error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
                effect += (expected[i] - baseOnly[i]) * (expected[i] - baseOnly[i]);
                norm += expected[i] * expected[i];
            }
            error = norm > 0 ? Math.Sqrt(error / norm) : Math.Sqrt(error);
            effect = norm > 0 ? Math.Sqrt(effect / norm) : 0;

            // Written so that a NaN counts as over the limit and as the worst.
            bool within = error <= check.Limit;
            bool worst = !(error <= check.WorstError) && !double.IsNaN(check.WorstError);
            check = check with
            {
                Checked = check.Checked + 1,
                OverLimit = check.OverLimit + (within ? 0 : 1),
                WorstError = worst ? error : check.WorstError,
                WorstRow = worst ? row : check.WorstRow,
                WorstLinear = worst ? linear.Name : check.WorstLinear,
                SmallestEffect = effect > 0 ? Math.Min(effect, check.SmallestEffect) : check.SmallestEffect,
                LargestEffect = Math.Max(effect, check.LargestEffect),
            };
        }
        return check;
    }

    private static List<ReferenceEntry> EntriesOf(
        LayerLinear linear, ReferenceWeight weight, IReadOnlyList<LoraAdapter?> adapterOfRow)
    {
        LoraModule module = new(linear.Name, linear.InFeatures, linear.OutFeatures);
        Dictionary<LoraAdapter, IReadOnlyList<ReferenceFactors>> known = [];
        List<ReferenceEntry> entries = [];
        for (int row = 0; row < adapterOfRow.Count; row++)
        {
            if (adapterOfRow[row] is not { } adapter)
                continue;
            if (!known.TryGetValue(adapter, out IReadOnlyList<ReferenceFactors>? factors))
            {
                factors = ReferenceBridge.Factors(adapter, module, weight);
                known.Add(adapter, factors);
            }
            entries.Add(new ReferenceEntry(row, factors));
        }
        return entries;
    }
}
