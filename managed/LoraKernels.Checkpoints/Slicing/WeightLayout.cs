namespace LoraKernels.Checkpoints;

/// <summary>How the tensors of a weight of some format lie over its rows and columns.</summary>
/// <param name="Codes">Where codes, and in GGUF the scales among them, lie.</param>
/// <param name="Scales">Of <see cref="WeightTensors.Scales"/>; null where that is empty.</param>
/// <param name="ZeroPoints">Of <see cref="WeightTensors.ZeroPoints"/>; null where that is empty.</param>
internal sealed record WeightLayout(Plane Codes, Plane? Scales, Plane? ZeroPoints)
{
    private const int CodesOfWord = 8;
    private const int WordBytes = 4;

    /// <summary>Rows and columns at which every tensor can be cut.</summary>
    public (long Rows, long Columns) Units
    {
        get
        {
            Plane[] planes = [.. new[] { Codes, Scales, ZeroPoints }.OfType<Plane>()];
            return (planes.Select(p => p.RowUnit).Aggregate(LeastCommonMultiple),
                planes.Select(p => p.ColumnUnit).Aggregate(LeastCommonMultiple));
        }
    }

    /// <summary>The layout of a weight whose codes lie row by row: of HQQ's once <see cref="HqqCodes"/> has spread them.</summary>
    public static WeightLayout Of(WeightTensors weight)
    {
        long group = weight.GroupSize;
        long scaleBytes = weight.ScaleDType == DType.Float32 ? 4 : 2;
        var perGroup = new Plane(scaleBytes, 1, group);
        var perGroupColumnMajor = perGroup with { ColumnMajor = true };
        switch (weight.Format)
        {
            case WeightFormat.BitsAndBytesNf4 or WeightFormat.BitsAndBytesFp4:
                return new(new Plane(1, 1, 2), new Plane(weight.OuterGroupSize > 0 ? 1 : 4, 1, group), null);
            case WeightFormat.GgufQ4_0 or WeightFormat.GgufIq4Nl:
                return new(new Plane(18, 1, 32), null, null);
            case WeightFormat.GgufQ4_1:
                return new(new Plane(20, 1, 32), null, null);
            case WeightFormat.GgufQ4_K:
                return new(new Plane(144, 1, 256), null, null);
            case WeightFormat.GgufMxfp4:
                return new(new Plane(17, 1, 32), null, null);
            case WeightFormat.GgufNvfp4:
                return new(new Plane(36, 1, 64), null, null);
            case WeightFormat.Float32:
                return new(new Plane(4, 1, 1), null, null);
            case WeightFormat.Float16 or WeightFormat.BFloat16:
                return new(new Plane(2, 1, 1), null, null);
            case WeightFormat.GgufQ5_0:
                return new(new Plane(22, 1, 32), null, null);
            case WeightFormat.GgufQ5_1:
                return new(new Plane(24, 1, 32), null, null);
            case WeightFormat.GgufQ8_0:
                return new(new Plane(34, 1, 32), null, null);
            case WeightFormat.GgufQ2_K:
                return new(new Plane(84, 1, 256), null, null);
            case WeightFormat.GgufQ3_K:
                return new(new Plane(110, 1, 256), null, null);
            case WeightFormat.GgufQ5_K:
                return new(new Plane(176, 1, 256), null, null);
            case WeightFormat.GgufQ6_K:
                return new(new Plane(210, 1, 256), null, null);
            case WeightFormat.GgufIq4Xs:
                return new(new Plane(136, 1, 256), null, null);
            case WeightFormat.Mxfp4 or WeightFormat.Nvfp4:
                return new(new Plane(1, 1, 2), new Plane(1, 1, group), null);
            case WeightFormat.Int4Packed:
                return new(new Plane(WordBytes, 1, CodesOfWord), perGroup,
                    weight.ZeroPoints.IsEmpty ? null : new Plane(WordBytes, CodesOfWord, group));
            case WeightFormat.Gptq or WeightFormat.GptqV2:
                return new(new Plane(WordBytes, 1, CodesOfWord, ColumnMajor: true), perGroupColumnMajor,
                    new Plane(WordBytes, CodesOfWord, group, ColumnMajor: true));
            case WeightFormat.Awq:
                return new(new Plane(WordBytes, CodesOfWord, 1, ColumnMajor: true), perGroupColumnMajor,
                    new Plane(WordBytes, CodesOfWord, group, ColumnMajor: true));
            case WeightFormat.Hqq:
                return new(new Plane(1, 1, 1), perGroup, perGroup);
            case WeightFormat.OnnxMatMulNBits:
                return new(new Plane(group / 2, 1, group), perGroup, OnnxZeroPoints(weight, perGroup));
            default:
                throw new ArgumentException($"{weight.Format} is not known", nameof(weight));
        }
    }

    private static Plane? OnnxZeroPoints(WeightTensors weight, Plane perGroup)
    {
        if (weight.ZeroPoints.IsEmpty) return null;
        return weight.ZeroPoints.Length == weight.Scales.Length ? perGroup : new Plane(1, 1, 2 * weight.GroupSize);
    }

    private static long LeastCommonMultiple(long a, long b)
    {
        (long x, long y) = (a, b);
        while (y != 0) (x, y) = (y, x % y);
        return a / x * b;
    }
}
