using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <summary>
/// A table with random adapters and a batch of them, and the same as the reference sees it. The module of the case
/// stands between two others that the adapters change as well, so that a mixed-up module shows.
/// </summary>
internal sealed class LoraSample : IDisposable
{
    private const int TileRank = 8;
    private const int DecoyRank = 2;
    private const long DecoyFeatures = 5;
    private const string DecoyName = "decoy";

    private readonly List<LoadedAdapter> _loaded = [];

    private LoraSample(Device device, LoraModule module)
    {
        Module = module;
        Table = new LoraTable(
            device,
            [
                new LoraModule(DecoyName, DecoyFeatures, DecoyFeatures),
                module,
                new LoraModule(DecoyName + "2", DecoyFeatures, DecoyFeatures),
            ]);
    }

    public LoraModule Module { get; }

    public LoraTable Table { get; }

    public LoraBatch Batch { get; private set; } = null!;

    public IReadOnlyList<ReferenceEntry> Entries { get; private set; } = [];

    /// <summary>Columns of the intermediate that the entries need.</summary>
    public int Columns => Entries.Count == 0 ? 0 : Entries.Max(entry => entry.Columns);

    /// <summary>Draws adapters and a batch.</summary>
    /// <param name="device">Where they will be.</param>
    /// <param name="case">Has adapters.</param>
    /// <param name="random">The source.</param>
    /// <param name="weight">The module's weight, whose norms DoRA takes; null: one is made for that.</param>
    public static LoraSample Create(Device device, VerificationCase @case, Random random, WeightTensors? weight = null)
    {
        LoraCase lora = @case.Lora ?? throw new ArgumentException($"{@case.Op} needs adapters.", nameof(@case));
        OutputSlice[] slices = [.. lora.Slices.Select((slice, i) => new OutputSlice($"part{i}", slice.Offset, slice.Size))];
        var sample = new LoraSample(
            device, new LoraModule("module", @case.InFeatures, @case.OutFeatures, slices));
        if (lora.Vectors)
            weight ??= WeightSamples.Create(@case with { Format = VerificationFormat.Nf4, GroupSize = 64, CustomMap = false }, random);
        using QuantizedWeight? packed = lora.Vectors ? QuantizedWeight.Pack(device, weight!) : null;
        var adapters = new List<LoraAdapter>();
        for (int i = 0; i < lora.Ranks.Count; i++)
        {
            adapters.Add(RandomAdapter(lora, i, sample.Module, random));
            sample._loaded.Add(sample.Table.Add(adapters[i], new AdapterOptions { BaseWeight = _ => packed }));
        }

        ReferenceWeight? reference = lora.Vectors ? ReferenceBridge.Weight(weight!) : null;
        sample.Assign(lora.Assignment, (int)@case.Rows, adapters, reference, random);
        return sample;
    }

    public void Dispose()
    {
        Batch?.Dispose();
        foreach (LoadedAdapter adapter in _loaded)
            adapter.Dispose();
        Table.Dispose();
    }

    private static LoraAdapter RandomAdapter(LoraCase lora, int index, LoraModule module, Random random)
    {
        var factors = new List<LoraFactors> { RandomFactors(DecoyName, DecoyFeatures, DecoyFeatures, DecoyRank, 0, random, 0) };
        int vectors = lora.Vectors ? index % 3 : 0;
        OutputSlice[] slices = module.Slices.Count == 0
            ? [new OutputSlice(module.Name, 0, module.OutFeatures)]
            : [.. module.Slices];
        for (int j = 0; j < slices.Length; j++)
        {
            int rank = lora.Ranks[(index + j) % lora.Ranks.Count];
            bool lacksSlice = slices.Length > 1 && (index + j) % 4 == 3;
            if (rank > 0 && !lacksSlice)
                factors.Add(RandomFactors(slices[j].Name, module.InFeatures, slices[j].Size, rank, index + j, random, vectors));
        }

        return new LoraAdapter($"adapter{index}", factors);
    }

    private static LoraFactors RandomFactors(
        string module, long inFeatures, long outFeatures, int rank, int kind, Random random, int vectors)
    {
        float scaleA = 2 / MathF.Sqrt(Math.Max(1, inFeatures));
        float scaleB = 2 / MathF.Sqrt(rank);
        float scale = 0.5f + random.NextSingle();
        float[] a = Samples.Uniform(random, rank * inFeatures, scaleA);
        float[] b = Samples.Uniform(random, outFeatures * rank, scaleB);
        float[] vector = vectors == 0 ? [] : Samples.Uniform(random, outFeatures, 2);
        return (kind % 3) switch
        {
            0 => Of<float>(),
            1 => Of<Half>(),
            _ => Of<BFloat16>(),
        };

        LoraFactors Of<T>()
            where T : unmanaged => new(
                module,
                HostMatrix.From<T>(Elements.FromFloats<T>(a), rank, inFeatures),
                HostMatrix.From<T>(Elements.FromFloats<T>(b), outFeatures, rank),
                scale,
                vectors == 1 ? HostMatrix.From<T>(Elements.FromFloats<T>(vector), 1, outFeatures) : null,
                vectors == 2 ? HostMatrix.From<T>(Elements.FromFloats<T>(vector), 1, outFeatures) : null);
    }

    private void Assign(
        LoraAssignment assignment, int rows, List<LoraAdapter> adapters, ReferenceWeight? weight, Random random)
    {
        var offsets = new long[rows + 1];
        var chosen = new List<int>();
        var weights = new List<float>();
        for (int row = 0; row < rows; row++)
        {
            switch (assignment)
            {
                case LoraAssignment.InTurn:
                    chosen.Add(adapters.Count == 0 || row % 4 == 3 ? -1 : row % adapters.Count);
                    break;
                case LoraAssignment.Same:
                    chosen.Add(adapters.Count == 0 ? -1 : 0);
                    break;
                case LoraAssignment.Nowhere:
                    chosen.Add(-1);
                    break;
                default:
                    for (int e = 0; e < row % 4; e++)
                    {
                        chosen.Add(random.Next(-1, adapters.Count));
                        float drawn = 3 * random.NextSingle() - 1;
                        // DoRA's norms are those of the weight 1.
                        bool rescales = chosen[^1] >= 0 && adapters[chosen[^1]].Factors.Any(f => f.Magnitude is not null);
                        weights.Add(rescales ? 1 : drawn);
                    }

                    break;
            }

            offsets[row + 1] = chosen.Count;
        }

        IReadOnlyList<ReferenceFactors>[] factors =
            [.. adapters.Select(adapter => ReferenceBridge.Factors(adapter, Module, weight))];
        var entries = new List<ReferenceEntry>();
        for (int row = 0; row < rows; row++)
        {
            for (int e = (int)offsets[row]; e < offsets[row + 1]; e++)
            {
                entries.Add(new ReferenceEntry(
                    row, chosen[e] < 0 ? [] : factors[chosen[e]], weights.Count == 0 ? 1 : weights[e]));
            }
        }

        Entries = entries;
        Batch = Table.CreateBatch(new LoraBatchCapacity(
            rows, chosen.Count, chosen.Where(i => i >= 0).Distinct().Count(), chosen.Sum(i => i < 0 ? 0 : Tiles(factors[i]))));
        if (assignment == LoraAssignment.Stacked)
            Batch.Set(rows, offsets, chosen.Select(i => i < 0 ? 0 : _loaded[i].Id).ToArray(), weights.ToArray());
        else
            Batch.Set(chosen.Select(i => i < 0 ? null : _loaded[i]).ToArray());
    }

    // The decoy module has one tile, and an adapter counts by its widest module.
    private static long Tiles(IReadOnlyList<ReferenceFactors> factors) =>
        Math.Max(1, factors.Sum(part => (part.Rank + TileRank - 1) / TileRank));
}
