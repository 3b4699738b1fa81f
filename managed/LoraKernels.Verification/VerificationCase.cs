using System.Globalization;
using System.Text;

namespace LoraKernels.Verification;

/// <summary>One row of the table: an op on one shape, with inputs made from a seed.</summary>
public sealed record VerificationCase
{
    /// <summary>What runs.</summary>
    public required VerificationOp Op { get; init; }

    /// <summary>Type of x and y; of the weights for dequantize and quantize. Without meaning for pack.</summary>
    public DType DType { get; init; }

    /// <summary>How the weight is stored.</summary>
    public VerificationFormat Format { get; init; }

    /// <summary>Rows of x and y, M.</summary>
    public long Rows { get; init; }

    /// <summary>Columns of y, N.</summary>
    public required long OutFeatures { get; init; }

    /// <summary>Columns of x, K.</summary>
    public required long InFeatures { get; init; }

    /// <summary>Weights per scale, where that is not the format's; int4 with one group a row: K.</summary>
    public int GroupSize { get; init; } = 64;

    /// <summary>Absmax per outer scale; nested NF4 and FP4 only.</summary>
    public int OuterGroupSize { get; init; } = 256;

    /// <summary>Type of the scales; int4 only.</summary>
    public DType ScaleDType { get; init; } = DType.Float16;

    /// <summary>The checkpoint brings an NF4 or FP4 map of its own.</summary>
    public bool CustomMap { get; init; }

    /// <summary>Type of the bias, where the op has one.</summary>
    public DType BiasDType { get; init; }

    /// <summary>The adapters of the LoRA ops and of linear.</summary>
    public LoraCase? Lora { get; init; }

    /// <summary>Matrices are odd-aligned slices of larger ones, whose other elements must stay as they are.</summary>
    public bool Strided { get; init; }

    /// <summary>Makes the inputs.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>The largest error that passes; 0: bit for bit.</summary>
    public double Limit => Op switch
    {
        VerificationOp.Pack or VerificationOp.Dequantize or VerificationOp.Quantize => 0,
        VerificationOp.LoraShrink => VerificationError.Limit(DType.Float32),
        _ => VerificationError.Limit(DType),
    };

    /// <summary>Whether the result depends on how x · Wᵀ is computed.</summary>
    public bool IsProduct => Op is VerificationOp.Matmul or VerificationOp.MatmulBias or VerificationOp.Linear;

    /// <summary><see cref="Limit"/>, or what a device in <see cref="ComputeMode.Int8Activations"/> is allowed.</summary>
    public double LimitIn(ComputeMode compute) =>
        compute == ComputeMode.Int8Activations && IsProduct ? VerificationError.Int8Limit : Limit;

    /// <summary>Name of the op in tables, as in the C ABI.</summary>
    public string OpName => Op switch
    {
        VerificationOp.Pack => "pack",
        VerificationOp.Dequantize => "dequantize",
        VerificationOp.Quantize => "quantize",
        VerificationOp.Matmul => "matmul",
        VerificationOp.MatmulBias => "matmul_bias",
        VerificationOp.LoraShrink => "lora_shrink",
        VerificationOp.LoraExpand => "lora_expand",
        VerificationOp.LoraApply => "lora_apply",
        _ => "linear",
    };

    /// <summary>Name of the type in tables: float32, float16 or bfloat16; none for pack.</summary>
    public string DTypeName => (Op, DType) switch
    {
        (VerificationOp.Pack, _) => "none",
        (_, DType.Float32) => "float32",
        (_, DType.Float16) => "float16",
        _ => "bfloat16",
    };

    /// <summary>Name of the format in tables: nf4, q4_0 and so on; none where the op has no weight.</summary>
    public string FormatName => Format.Name();

    /// <summary>The shape and what else sets the case apart, in one line.</summary>
    public string Shape
    {
        get
        {
            var text = new StringBuilder();
            bool hasRows = Op is not (VerificationOp.Pack or VerificationOp.Dequantize or VerificationOp.Quantize);
            if (hasRows)
                text.Append(CultureInfo.InvariantCulture, $"M={Rows} ");
            text.Append(CultureInfo.InvariantCulture, $"N={OutFeatures} K={InFeatures}");
            if (Format.HasGroupSize())
                text.Append(CultureInfo.InvariantCulture, $" g={GroupSize}");
            if (Format.HasScaleDType())
                text.Append(CultureInfo.InvariantCulture, $" scales={ScaleDType}");
            if (CustomMap)
                text.Append(" map");
            if (Op == VerificationOp.MatmulBias || Op == VerificationOp.Linear)
                text.Append(CultureInfo.InvariantCulture, $" bias={BiasDType}");
            if (Lora is not null)
                text.Append(' ').Append(Lora);
            if (Strided)
                text.Append(" strided");
            return text.ToString();
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{OpName} {DTypeName} {FormatName} {Shape}";
}
