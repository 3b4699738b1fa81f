using System.Runtime.InteropServices;

namespace LoraKernels.Benchmarks;

/// <summary>The checkpoint formats that are compared.</summary>
public enum SampleFormat
{
    /// <summary>bitsandbytes NF4, groups of 64, absmax in fp32.</summary>
    Nf4,

    /// <summary>The same with absmax in 8 bits.</summary>
    Nf4Nested,

    /// <summary>GGUF Q4_0.</summary>
    GgufQ40,
}

/// <summary>Random weights of one size: Mistral-7B's q_proj.</summary>
internal static class SampleWeights
{
    public const long Features = 4096;

    private const long Nf4Group = 64;
    private const long OuterGroup = 256;
    private const int GgufBlockBytes = 18;
    private const long GgufBlock = 32;

    /// <summary>What the weight takes in a checkpoint.</summary>
    public static double CheckpointBytes(SampleFormat format)
    {
        const double Weights = (double)Features * Features;
        const double Groups = Weights / Nf4Group;
        return format switch
        {
            SampleFormat.Nf4 => (Weights / 2) + (4 * Groups),
            SampleFormat.Nf4Nested => (Weights / 2) + Groups + (4 * Groups / OuterGroup),
            _ => Weights / GgufBlock * GgufBlockBytes,
        };
    }

    public static QuantizedWeight Create(Device device, SampleFormat format)
    {
        if (format == SampleFormat.GgufQ40)
            return QuantizedWeight.Pack(device, CreateQ40());
        using DeviceTensor<float> values = device.Upload<float>(Values(Features * Features, 0.02f), Features, Features);
        return QuantizedWeight.Quantize(
            values, QuantizeOptions.Nf4(Nf4Group, nested: format == SampleFormat.Nf4Nested));
    }

    /// <summary>Uniform values in ±<paramref name="amplitude"/>, the same at every call.</summary>
    public static float[] Values(long count, float amplitude)
    {
        Random random = new(1);
        float[] values = new float[count];
        for (long i = 0; i < count; i++)
            values[i] = amplitude * ((2 * random.NextSingle()) - 1);
        return values;
    }

    private static WeightTensors CreateQ40()
    {
        byte[] codes = new byte[Features * Features / GgufBlock * GgufBlockBytes];
        new Random(1).NextBytes(codes);
        for (int block = 0; block < codes.Length; block += GgufBlockBytes)
            MemoryMarshal.Write(codes.AsSpan(block), (Half)0.002f);
        return new WeightTensors
        {
            Format = WeightFormat.GgufQ4_0,
            OutFeatures = Features,
            InFeatures = Features,
            GroupSize = GgufBlock,
            Codes = codes,
        };
    }
}
