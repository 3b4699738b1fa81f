using System.Text.Json.Serialization;
using LoraKernels.Verification;

namespace LoraKernels.Cli.Commands.Verify;

/// <summary>An element of the list that <c>verify --json</c> prints.</summary>
/// <param name="DType">Type of the activations: fp32, fp16, bf16, or none.</param>
/// <param name="Error">Measured error; 0 where bits are compared and equal.</param>
/// <param name="Limit">Largest error that passes; 0: bit for bit.</param>
/// <param name="Message">Why it failed, where the error does not say it all.</param>
internal sealed record VerifyRow(
    string Op,
    string Device,
    string Isa,
    [property: JsonPropertyName("dtype")] string DType,
    string Format,
    string Shape,
    double Error,
    double Limit,
    bool Ok,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Message)
{
    /// <summary>Of the emulated device: what ordered the run.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Schedule { get; init; }

    public static VerifyRow Of(VerificationResult result) => new(
        result.Op,
        result.Device,
        result.Isa,
        ShortName(result.DType),
        result.Format,
        result.Shape,
        result.Error,
        result.Limit,
        result.Ok,
        result.Message);

    private static string ShortName(string dtype) => dtype switch
    {
        "float32" => "fp32",
        "float16" => "fp16",
        "bfloat16" => "bf16",
        _ => dtype,
    };
}
