namespace LoraKernels.Tests.Api;

/// <summary>Small layers, weights and adapters for the tests of the API.</summary>
internal static class Sample
{
    public const int InFeatures = 64;
    public const int OutFeatures = 48;
    public const string Plain = "model.layers.0.self_attn.o_proj";
    public const string Fused = "model.layers.0.self_attn.qkv_proj";
    public const string Query = "model.layers.0.self_attn.q_proj";
    public const string Key = "model.layers.0.self_attn.k_proj";
    public const string Value = "model.layers.0.self_attn.v_proj";

    /// <summary>A plain layer, and one of three slices with a column between the last two that is in none.</summary>
    public static LoraModule[] Modules() =>
    [
        new(Plain, InFeatures, OutFeatures),
        new(Fused, InFeatures, OutFeatures, new(Query, 0, 24), new(Key, 24, 11), new(Value, 36, 12)),
    ];

    public static LoraTable Table(Device device, string? baseModel = null) => new(device, Modules(), baseModel);

    /// <summary>A capacity that no test of a few rows fills.</summary>
    public static LoraBatchCapacity Capacity { get; } = LoraBatchCapacity.ForRows(16, 32, 4, 3);

    public static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    public static QuantizedWeight Weight(Device device, int outFeatures = OutFeatures, int inFeatures = InFeatures)
    {
        using DeviceTensor<float> w = device.Upload<float>(
            Values(outFeatures * inFeatures, outFeatures), outFeatures, inFeatures);
        return QuantizedWeight.Quantize(w);
    }

    public static LoraFactors Factors(
        string module, long rank, long inFeatures, long outFeatures, float scale = 1, int seed = 1) => new(
        module,
        HostMatrix.From(Values((int)(rank * inFeatures), seed), rank, inFeatures),
        HostMatrix.From(Values((int)(outFeatures * rank), seed + 1), outFeatures, rank),
        scale);

    /// <summary>An update of the plain layer and of two slices of the fused one.</summary>
    public static LoraAdapter Adapter(string name = "sql", int seed = 1, string? baseModel = null) => new(
        name,
        [
            Factors(Plain, 4, InFeatures, OutFeatures, 0.5f, seed),
            Factors(Query, 3, InFeatures, 24, 0.25f, seed + 10),
            Factors(Value, 9, InFeatures, 12, 2f, seed + 20),
        ],
        baseModel);
}
