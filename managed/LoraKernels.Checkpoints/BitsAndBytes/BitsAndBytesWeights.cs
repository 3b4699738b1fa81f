namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds bitsandbytes NF4 and FP4 weights: <c>NAME.weight</c> with the codes, and beside it <c>NAME.weight.absmax</c>,
/// <c>.quant_map</c>, <c>.quant_state.bitsandbytes__nf4</c> or <c>__fp4</c>, and when absmax is quantized too
/// <c>.nested_absmax</c> and <c>.nested_quant_map</c>.
/// </summary>
internal sealed class BitsAndBytesWeights : IWeightReader
{
    public const string Weight = ".weight";
    public const string AbsMax = Weight + ".absmax";
    public const string QuantMap = Weight + ".quant_map";
    public const string NestedAbsMax = Weight + ".nested_absmax";
    public const string NestedQuantMap = Weight + ".nested_quant_map";
    public const string State = Weight + ".quant_state.bitsandbytes__";

    public const int TableSize = 16;
    public const int NestedTableSize = 256;

    private const long MaxStateBytes = 64 << 10;

    /// <summary>Endings of <see cref="State"/>, which are also the values of <c>quant_type</c>.</summary>
    private static readonly (string QuantType, WeightFormat Format)[] Formats =
        [("nf4", WeightFormat.BitsAndBytesNf4), ("fp4", WeightFormat.BitsAndBytesFp4)];

    public string Reads => "bitsandbytes NF4 and FP4";

    public IReadOnlyList<string> Methods => ["bitsandbytes"];

    /// <summary><c>quant_type</c> of a format, or null when it is none of bitsandbytes'.</summary>
    public static string? QuantTypeOf(WeightFormat format) =>
        Formats.FirstOrDefault(f => f.Format == format).QuantType;

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config)
    {
        if (Methods.Contains(config?.Method, StringComparer.OrdinalIgnoreCase) && config!.Flag("load_in_8bit"))
            throw config.Error("load_in_8bit", "is true; weights of 4 bits can be read");
        foreach (var (quantType, format) in Formats)
        {
            foreach (var layer in LayerTensors.Of(source, State + quantType))
                yield return Check(source, layer.Marker, layer.Name, quantType, format);
        }
    }

    private static WeightEntry Check(
        TensorSource source, TensorInfo stateTensor, string name, string quantType, WeightFormat format)
    {
        if (stateTensor.Type != TensorType.U8 || stateTensor.Bytes > MaxStateBytes)
        {
            throw new CheckpointException(stateTensor.File, stateTensor.Name,
                $"is {stateTensor.Type} {stateTensor.ShapeText}; expected U8 of at most {MaxStateBytes} bytes of JSON");
        }
        var state = QuantState.Parse(stateTensor, source.Read(stateTensor), quantType);
        var weight = Part(source, stateTensor, name + Weight);
        if (state.OutFeatures > (long.MaxValue - 1) / state.InFeatures)
        {
            throw new CheckpointException(stateTensor.File, stateTensor.Name,
                $"shape [{state.OutFeatures}, {state.InFeatures}] has more elements than 2^63");
        }
        long count = state.OutFeatures * state.InFeatures;
        CheckCodes(weight, state, count / 2 + count % 2);

        long scales = DivideUp(count, state.BlockSize);
        bool nested = state.NestedBlockSize > 0;
        var absMax = Part(source, stateTensor, name + AbsMax, nested ? TensorType.U8 : TensorType.F32, scales);
        var map = Part(source, stateTensor, name + QuantMap, TensorType.F32, TableSize);
        TensorInfo[] parts = [weight, absMax, map];
        if (nested)
        {
            parts = [.. parts,
                Part(source, stateTensor, name + NestedQuantMap, TensorType.F32, NestedTableSize),
                Part(source, stateTensor, name + NestedAbsMax, TensorType.F32, DivideUp(scales, state.NestedBlockSize))];
        }
        else if (source.Find(name + NestedAbsMax) is { } unexpected)
        {
            throw new CheckpointException(unexpected.File, unexpected.Name,
                $"is there, but {stateTensor.Name} has no nested_blocksize");
        }
        var info = new WeightInfo(name, format, state.OutFeatures, state.InFeatures,
            state.BlockSize, nested, parts.Sum(p => p.Bytes));
        return new WeightEntry(info, [.. parts, stateTensor], read => Read(read, format, state, parts));
    }

    private static WeightTensors Read(PartReader read, WeightFormat format, QuantState state, TensorInfo[] parts)
    {
        bool nested = state.NestedBlockSize > 0;
        return new WeightTensors
        {
            Format = format,
            OutFeatures = state.OutFeatures,
            InFeatures = state.InFeatures,
            GroupSize = state.BlockSize,
            OuterGroupSize = state.NestedBlockSize,
            OuterOffset = state.NestedOffset,
            Codes = read(new TensorPart(parts[0])),
            Scales = read(new TensorPart(parts[1])),
            Table = read(new TensorPart(parts[2])),
            OuterTable = nested ? read(new TensorPart(parts[3])) : default,
            OuterScales = nested ? read(new TensorPart(parts[4])) : default,
        };
    }

    /// <summary>The codes may be declared as any storage type, and lie in a column or a row: the bytes are the same.</summary>
    private static void CheckCodes(TensorInfo weight, QuantState state, long bytes)
    {
        bool storage = weight.Type is TensorType.U8 or TensorType.BF16 or TensorType.F16 or TensorType.F32;
        bool vector = weight.Shape.Count == 1
            || (weight.Shape.Count == 2 && (weight.Shape[0] == 1 || weight.Shape[1] == 1));
        if (storage && vector && weight.Bytes == bytes) return;
        throw new CheckpointException(weight.File, weight.Name,
            $"is {weight.Type} {weight.ShapeText} of {weight.Bytes} bytes; the codes of [{state.OutFeatures}, "
            + $"{state.InFeatures}] are U8, BF16, F16 or F32, one row or column of {bytes} bytes");
    }

    private static TensorInfo Part(TensorSource source, TensorInfo state, string name) =>
        source.Find(name) ?? throw new CheckpointException(state.File, name,
            $"is missing, but {CheckpointException.Quote(state.Name)} is there");

    private static TensorInfo Part(TensorSource source, TensorInfo state, string name, TensorType type, long count)
    {
        var part = Part(source, state, name);
        // Absolute sizes are known to be in the file, so their element count cannot overflow.
        if (part.Type == type && TensorLayout.Count([.. part.Shape]) == count) return part;
        throw new CheckpointException(part.File, part.Name,
            $"is {part.Type} {part.ShapeText}; expected {type} with {count} elements");
    }

    private static long DivideUp(long count, long size) => count / size + (count % size == 0 ? 0 : 1);
}
