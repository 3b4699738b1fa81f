using System.Globalization;
using System.Text;

namespace LoraKernels.Verification;

/// <summary>
/// The formats that are supported, with every group size that each can have: for README.md, and as cases that hold each
/// of them, bit for bit, against the reference's decoding.
/// </summary>
public static class FormatTable
{
    /// <summary>A group size: one group for each row.</summary>
    public const int WholeRow = 0;

    private static readonly int[] BitsAndBytesGroups = [32, 64, 128, 256, 512, 1024, 2048, 4096];
    private static readonly int[] IntegerGroups = [32, 64, 96, 128, 256, WholeRow];

    private static readonly VerificationOp[] Both = [VerificationOp.Dequantize, VerificationOp.Matmul];

    private static readonly Row[] Rows =
    [
        new("bitsandbytes NF4, FP4; absmax plain or nested", BitsAndBytesGroups, "safetensors of transformers, PEFT, unsloth",
            VerificationFormat.Nf4, VerificationFormat.Nf4Nested, VerificationFormat.Fp4, VerificationFormat.Fp4Nested),
        new("GPTQ v1 and v2; act-order", IntegerGroups, "safetensors of AutoGPTQ, GPTQModel, optimum",
            VerificationFormat.Gptq, VerificationFormat.GptqActOrder, VerificationFormat.GptqV2),
        new("AWQ, GEMM version", IntegerGroups, "safetensors of AutoAWQ", VerificationFormat.Awq),
        new("compressed-tensors pack-quantized; symmetric, zero points, act-order", IntegerGroups,
            "safetensors of llm-compressor",
            VerificationFormat.Int4, VerificationFormat.Int4ZeroPoints, VerificationFormat.Int4ActOrder),
        new("HQQ, axis 1", [8, 16, 32, 64, 128, WholeRow], "safetensors of transformers", VerificationFormat.Hqq),
        new("ONNX MatMulNBits; no, integer or float zero points", [16, 32, 64, 128, 256], "ONNX of ONNX Runtime, Olive, optimum",
            VerificationFormat.Onnx, VerificationFormat.OnnxZeroPoints, VerificationFormat.OnnxFloatZeros),
        new("MXFP4", [32], "safetensors of gpt-oss, llm-compressor", VerificationFormat.Mxfp4),
        new("NVFP4", [16], "safetensors of ModelOpt, llm-compressor", VerificationFormat.Nvfp4, VerificationFormat.Nvfp4Divided),
        new("Q4_0, Q4_1, IQ4_NL, Q4_K, MXFP4", [32], "GGUF v2 and v3", VerificationFormat.GgufQ40,
            VerificationFormat.GgufQ41, VerificationFormat.GgufIq4Nl, VerificationFormat.GgufQ4K, VerificationFormat.GgufMxfp4),
        new("NVFP4", [16], "GGUF v3", VerificationFormat.GgufNvfp4),
        new("Q5_0, Q5_1, Q8_0, Q5_K, IQ4_XS", [32], "GGUF v2 and v3", VerificationFormat.GgufQ50, VerificationFormat.GgufQ51,
            VerificationFormat.GgufQ80, VerificationFormat.GgufQ5K, VerificationFormat.GgufIq4Xs),
        new("Q2_K, Q3_K, Q6_K", [16], "GGUF v2 and v3", VerificationFormat.GgufQ2K, VerificationFormat.GgufQ3K,
            VerificationFormat.GgufQ6K),
        new("F32, F16, BF16", [1], "GGUF v2 and v3", VerificationFormat.F32, VerificationFormat.F16, VerificationFormat.BF16),
    ];

    /// <summary>Format × group size × type, scales of each type too, dequantized; in the smallest groups multiplied, too.</summary>
    public static IReadOnlyList<VerificationCase> Cases { get; } = [.. Rows.SelectMany(CasesOf)];

    /// <summary>The table as README.md has it.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder("| format | group size | in |\n|---|---|---|\n");
        foreach (Row row in Rows)
            text.Append(CultureInfo.InvariantCulture, $"| {row.Name} | {Groups(row)} | {row.Source} |\n");
        return text.ToString();
    }

    // Cases stop at some size where the format does not.
    private static string Groups(Row row) => row.Formats[0] switch
    {
        VerificationFormat.Gptq or VerificationFormat.Awq or VerificationFormat.Int4 => "multiples of 32, or a row",
        VerificationFormat.Hqq => "multiples of 8, or a row",
        VerificationFormat.Onnx => "powers of two from 16 on",
        VerificationFormat.Nf4 => "powers of two, 32 … 4096",
        VerificationFormat.F32 => "none",
        _ => string.Join(", ", row.GroupSizes),
    };

    private static IEnumerable<VerificationCase> CasesOf(Row row) =>
        from format in row.Formats
        from groupSize in row.GroupSizes
        from dtype in (DType[])[DType.Float32, DType.Float16, DType.BFloat16]
        from op in groupSize == row.GroupSizes[0] ? Both : Both[..1]
        select Case(op, format, groupSize, dtype);

    // Two groups and a piece of a third, where the format can have that; rows that fill no panel.
    private static VerificationCase Case(
        VerificationOp op, VerificationFormat format, int groupSize, DType dtype)
    {
        const int RowGroup = 200;
        long inFeatures = groupSize == WholeRow ? RowGroup : 2 * groupSize + groupSize / 2;
        if (format == VerificationFormat.Hqq && groupSize != WholeRow)
            inFeatures = 3 * groupSize;
        else if (format != VerificationFormat.Hqq)
            inFeatures = format.FitInFeatures(inFeatures);
        return new VerificationCase
        {
            Op = op,
            Rows = op == VerificationOp.Matmul ? 9 : 0,
            Format = format,
            DType = dtype,
            ScaleDType = dtype,
            OutFeatures = 40,
            InFeatures = inFeatures,
            GroupSize = groupSize == WholeRow ? RowGroup : groupSize,
            Seed = groupSize + (int)dtype + 1,
        };
    }

    private sealed record Row(string Name, int[] GroupSizes, string Source, params VerificationFormat[] Formats);
}
