namespace LoraKernels.Cli.Commands.Demo;

/// <summary>The type of x and y, and how near the reference its results must be.</summary>
/// <param name="Name">"fp32", "fp16", "bf16".</param>
/// <param name="Limit">Largest ‖out − ref‖ / ‖ref‖ that the numeric contract allows.</param>
/// <param name="Round">From fp32, to nearest even.</param>
/// <param name="Widen">To fp32, exactly.</param>
internal sealed record ActivationType<T>(string Name, double Limit, Converter<float, T> Round, Converter<T, float> Widen)
    where T : unmanaged;

internal static class ActivationType
{
    public static ActivationType<float> Float32 { get; } = new("fp32", 1e-5, static value => value, static value => value);

    public static ActivationType<Half> Float16 { get; } =
        new("fp16", 1e-3, static value => (Half)value, static value => (float)value);

    public static ActivationType<BFloat16> BFloat16 { get; } =
        new("bf16", 8e-3, static value => (BFloat16)value, static value => (float)value);
}
