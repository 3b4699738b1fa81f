namespace LoraKernels.Verification;

/// <summary>What cases need to know of a format.</summary>
internal static class VerificationFormats
{
    // HQQ's groups are whole: K are multiples of the largest.
    private const int HqqGroupSize = 64;

    /// <summary>All formats that a weight can have.</summary>
    public static IReadOnlyList<VerificationFormat> All { get; } =
        [.. Enum.GetValues<VerificationFormat>().Where(format => format != VerificationFormat.None)];

    /// <summary>The format's name in tables.</summary>
    public static string Name(this VerificationFormat format) => format switch
    {
        VerificationFormat.Nf4 => "nf4",
        VerificationFormat.Nf4Nested => "nf4-nested",
        VerificationFormat.GgufQ40 => "q4_0",
        VerificationFormat.Fp4 => "fp4",
        VerificationFormat.Fp4Nested => "fp4-nested",
        VerificationFormat.GgufQ41 => "q4_1",
        VerificationFormat.GgufIq4Nl => "iq4_nl",
        VerificationFormat.GgufQ4K => "q4_k",
        VerificationFormat.Int4 => "int4",
        VerificationFormat.Int4ZeroPoints => "int4-zero-points",
        VerificationFormat.Int4ActOrder => "int4-act-order",
        VerificationFormat.Mxfp4 => "mxfp4",
        VerificationFormat.Nvfp4 => "nvfp4",
        VerificationFormat.Nvfp4Divided => "nvfp4-divided",
        VerificationFormat.Gptq => "gptq",
        VerificationFormat.GptqV2 => "gptq-v2",
        VerificationFormat.GptqActOrder => "gptq-act-order",
        VerificationFormat.Awq => "awq",
        VerificationFormat.Hqq => "hqq",
        VerificationFormat.Onnx => "onnx",
        VerificationFormat.OnnxZeroPoints => "onnx-zero-points",
        VerificationFormat.OnnxFloatZeros => "onnx-float-zeros",
        VerificationFormat.GgufMxfp4 => "gguf-mxfp4",
        VerificationFormat.GgufNvfp4 => "gguf-nvfp4",
        VerificationFormat.F32 => "f32",
        VerificationFormat.F16 => "f16",
        VerificationFormat.BF16 => "bf16",
        VerificationFormat.GgufQ50 => "q5_0",
        VerificationFormat.GgufQ51 => "q5_1",
        VerificationFormat.GgufQ80 => "q8_0",
        VerificationFormat.GgufQ2K => "q2_k",
        VerificationFormat.GgufQ3K => "q3_k",
        VerificationFormat.GgufQ5K => "q5_k",
        VerificationFormat.GgufQ6K => "q6_k",
        VerificationFormat.GgufIq4Xs => "iq4_xs",
        _ => "none",
    };

    /// <summary>
    /// Whether it stands in <see cref="VerificationTable"/>. Weights that devices keep as they are take one path, and differ
    /// in their decoding alone, for which <see cref="FormatTable"/> has all of them.
    /// </summary>
    public static bool IsInTable(this VerificationFormat format) =>
        format is <= VerificationFormat.GgufNvfp4 or VerificationFormat.F16 or VerificationFormat.GgufQ6K;

    /// <summary>Whether weights can be made of numbers in this format.</summary>
    public static bool CanBeWritten(this VerificationFormat format) =>
        format.HasTable() || format is VerificationFormat.Int4 or VerificationFormat.Int4ZeroPoints;

    /// <summary>Whether a checkpoint may bring a table of its own.</summary>
    public static bool HasTable(this VerificationFormat format) =>
        format is VerificationFormat.Nf4 or VerificationFormat.Nf4Nested
            or VerificationFormat.Fp4 or VerificationFormat.Fp4Nested;

    /// <summary>Whether absmax is quantized in turn.</summary>
    public static bool IsNested(this VerificationFormat format) =>
        format is VerificationFormat.Nf4Nested or VerificationFormat.Fp4Nested;

    /// <summary>Whether the type of the scales is the checkpoint's choice.</summary>
    public static bool HasScaleDType(this VerificationFormat format) =>
        format is VerificationFormat.Int4 or VerificationFormat.Int4ZeroPoints or VerificationFormat.Int4ActOrder
            or VerificationFormat.Gptq or VerificationFormat.GptqV2 or VerificationFormat.GptqActOrder
            or VerificationFormat.Awq or VerificationFormat.Hqq
            or VerificationFormat.Onnx or VerificationFormat.OnnxZeroPoints or VerificationFormat.OnnxFloatZeros;

    /// <summary>Whether the group size is the checkpoint's choice.</summary>
    public static bool HasGroupSize(this VerificationFormat format) => format.HasTable() || format.HasScaleDType();

    /// <summary>Whether a group may be a whole row, whatever K is.</summary>
    public static bool CanHaveRowGroups(this VerificationFormat format) =>
        format.HasScaleDType() && format is not (VerificationFormat.Onnx or VerificationFormat.OnnxZeroPoints
            or VerificationFormat.OnnxFloatZeros);

    /// <summary>The smallest group size that the format can have.</summary>
    public static int SmallestGroupSize(this VerificationFormat format) => format switch
    {
        VerificationFormat.Hqq => 8,
        VerificationFormat.Onnx or VerificationFormat.OnnxZeroPoints or VerificationFormat.OnnxFloatZeros => 16,
        _ => 32,
    };

    /// <summary>The group size nearest to <paramref name="groupSize"/> that fits every K of the format.</summary>
    public static int FitGroupSize(this VerificationFormat format, int groupSize) =>
        format == VerificationFormat.Hqq ? Math.Min(groupSize, HqqGroupSize) : groupSize;

    /// <summary>The least N from <paramref name="outFeatures"/> on that the format can have.</summary>
    public static long FitOutFeatures(this VerificationFormat format, long outFeatures)
    {
        int multiple = format switch
        {
            VerificationFormat.Gptq or VerificationFormat.GptqV2 or VerificationFormat.GptqActOrder
                or VerificationFormat.Awq => 8,
            VerificationFormat.Hqq => 2,
            _ => 1,
        };
        return (outFeatures + multiple - 1) / multiple * multiple;
    }

    /// <summary>The least K from <paramref name="inFeatures"/> on that the format can have.</summary>
    public static long FitInFeatures(this VerificationFormat format, long inFeatures)
    {
        int multiple = format switch
        {
            VerificationFormat.Hqq => HqqGroupSize,
            VerificationFormat.GgufNvfp4 => 64,
            VerificationFormat.Gptq or VerificationFormat.GptqV2 or VerificationFormat.GptqActOrder => 8,
            VerificationFormat.GgufQ4K or VerificationFormat.GgufQ2K or VerificationFormat.GgufQ3K
                or VerificationFormat.GgufQ5K or VerificationFormat.GgufQ6K or VerificationFormat.GgufIq4Xs => 256,
            VerificationFormat.GgufQ40 or VerificationFormat.GgufQ41 or VerificationFormat.GgufIq4Nl
                or VerificationFormat.GgufQ50 or VerificationFormat.GgufQ51 or VerificationFormat.GgufQ80
                or VerificationFormat.Mxfp4 or VerificationFormat.GgufMxfp4 => 32,
            VerificationFormat.Nvfp4 or VerificationFormat.Nvfp4Divided => 16,
            _ => 1,
        };
        return (inFeatures + multiple - 1) / multiple * multiple;
    }
}
