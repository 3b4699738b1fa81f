using LoraKernels.Tests.Api;

namespace LoraKernels.Tests.Serving;

/// <summary>Adapters of one small layer, by their ranks and seeds.</summary>
internal static class TestAdapters
{
    public const string Module = "layer";
    public const int InFeatures = 6;
    public const int OutFeatures = 5;

    public static LoraModule[] Modules() => [new(Module, InFeatures, OutFeatures)];

    public static LoraAdapter Make(string name, int rank = 4, int seed = 1, bool dora = false, bool bias = false) => new(
        name,
        [
            new LoraFactors(
                Module,
                HostMatrix.From(Sample.Values(rank * InFeatures, seed), rank, InFeatures),
                HostMatrix.From(Sample.Values(OutFeatures * rank, seed + 1), OutFeatures, rank),
                0.5f,
                bias ? HostMatrix.From(Sample.Values(OutFeatures, seed + 2), 1, OutFeatures) : null,
                dora ? HostMatrix.From([2f, 3, 4, 5, 6], 1, OutFeatures) : null),
        ]);

    /// <summary>One that replaces the layer in full.</summary>
    public static LoraAdapter MakeReplacing(string name) => new(
        name, [],
        savedModules:
        [
            new SavedModule(Module, HostMatrix.From(new float[OutFeatures * InFeatures], OutFeatures, InFeatures)),
        ]);

    /// <summary>What the fake device takes for it.</summary>
    public static long Bytes(int rank) => (rank + 7) / 8 * 8L * (InFeatures + OutFeatures) * sizeof(float);
}
