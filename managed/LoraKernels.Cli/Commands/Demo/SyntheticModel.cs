using LoraKernels.Checkpoints;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>Writes a decoder layer of random weights as a bitsandbytes NF4 checkpoint with nested absmax.</summary>
internal static class SyntheticModel
{
    /// <summary>Standard deviation of the weights, as language models have it.</summary>
    public const float WeightDeviation = 0.02f;

    private const ulong Seed = 0x5EED;

    /// <summary>Writes config.json and model.safetensors. The library itself quantizes, on the CPU.</summary>
    public static void Write(
        string folder, DecoderShape shape, Action<string, double> progress, CancellationToken cancellation)
    {
        using Device cpu = Device.OpenCpu();
        List<SafetensorsEntry> entries = [];
        double done = 0, all = shape.Linears.Sum(static linear => linear.Weights);
        foreach (LinearShape linear in shape.Linears)
        {
            progress($"Generating {linear.Name}", done / all);
            float[] values = GaussianSource.Matrix(
                GaussianSource.Seed(Seed, linear.Name), linear.OutFeatures, linear.InFeatures, WeightDeviation, cancellation);
            progress($"Quantizing {linear.Name} to NF4", (done + (0.3 * linear.Weights)) / all);
            entries.AddRange(BitsAndBytesWriter.Entries(linear.Name, Quantize(cpu, linear, values), DType.Float16));
            cancellation.ThrowIfCancellationRequested();
            done += linear.Weights;
        }
        progress("Writing model.safetensors", 1);
        SafetensorsWriter.Write(
            Path.Combine(folder, "model.safetensors"), entries, new Dictionary<string, string> { ["format"] = "pt" });
        File.WriteAllText(Path.Combine(folder, "config.json"), shape.Config);
    }

    private static WeightTensors Quantize(Device cpu, LinearShape linear, float[] values)
    {
        using DeviceTensor<float> weights = cpu.Upload<float>(values, linear.OutFeatures, linear.InFeatures);
        using QuantizedWeight quantized = QuantizedWeight.Quantize(weights);
        return quantized.Unpack();
    }
}
